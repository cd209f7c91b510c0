"""Rules of a strategy: their order, who teaches, what is borrowed, and what becomes of a gate that is not estimable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from il2cyto.autogate.events import Teacher, thinned
from il2cyto.autogate.learn import Learnt, learn, learn_tube
from il2cyto.autogate.learnt import LearntGate
from il2cyto.autogate.order import stages, tasks
from il2cyto.autogate.part import above
from il2cyto.autogate.places import place
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gating import GatingStrategy, read_strategy
from il2cyto.keys import NOT_ESTIMABLE

TEXT = """\
strategy: small
version: "1"
compensation: uncompensated
cuts:
  A:
    {channel: A, at: 0.45, learn: {method: mixture, population: cells, scope: batch, from: [untreated, donor],
     borrow: [study, template], min_events: 400}}
  B:
    {channel: B, at: 0.45,
     learn: {method: mixture, population: A, scope: batch, from: [untreated, donor], min_events: 400}}
  C: {channel: C, at: 0.45}
populations:
  - {name: cells, parent: root, gate: {type: rectangle, dims: [{channel: A, min: -5}]}}
  - {name: A, parent: cells, gate: {type: rectangle, dims: [{channel: A, min: A}]}}
  - {name: not A, parent: cells, gate: {type: rectangle, dims: [{channel: A, max: A}]}}
  - {name: B, parent: A, gate: {type: rectangle, dims: [{channel: B, min: B}]}}
  - {name: below B, parent: B, gate: {type: rectangle, dims: [{channel: C, min: C}]}}
  - {name: others, parent: cells, gate: {type: boolean, op: not, of: [B]}}
"""


@pytest.fixture(scope="module")
def strategy(tmp_path_factory: pytest.TempPathFactory) -> GatingStrategy:
    folder = tmp_path_factory.mktemp("small")
    (folder / "strategy.yaml").write_text(TEXT, encoding="utf-8")
    return read_strategy(folder)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fcs")


def teacher(
    files: Path, name: str, batch: str, *, seed: int, shift: float = 0.0, n: int = 3_000, **facts: object
) -> Teacher:
    """A tube whose upper populations hold 30 % on each axis; `shift` moves both populations of A."""
    rng = np.random.default_rng(seed)
    label = rng.random((n, 3)) < 0.3
    values = np.where(label, rng.normal(0.65, 0.06, (n, 3)), rng.normal(0.25, 0.06, (n, 3)))
    values[:, 0] += shift
    path = files / f"{name}-{seed}-{n}-{shift}.fcs"
    write_fcs(values, path, channels=["A", "B", "C"])
    source = facts.pop("source", "sample")
    return Teacher(name, batch, source, thinned(read_fcs(path), 30_000), **facts)  # type: ignore[arg-type]


def gate_of(learnt: Learnt, strategy: GatingStrategy, name: str, batch: str) -> LearntGate:
    (task,) = (task for task in tasks(strategy) if task.name == name)
    return learnt.gate(task, "T", "P", batch)


def test_what_decides_a_population_is_learnt_before_what_is_learnt_in_it(strategy: GatingStrategy) -> None:
    assert [[task.name for task in stage] for stage in stages(strategy)] == [["A"], ["B"]]
    (first, second) = tasks(strategy)
    assert (first.population, first.populations) == (0, (1, 2))
    assert (second.population, second.populations) == (1, (3,))


def test_a_batch_is_learnt_from_its_own_tubes(strategy: GatingStrategy, files: Path) -> None:
    some = [teacher(files, "T1", "B1", seed=1), teacher(files, "T2", "B2", seed=2, shift=0.1)]
    learnt = learn(strategy, some)
    one, two = (gate_of(learnt, strategy, "A", batch) for batch in ("B1", "B2"))
    assert (one.status, one.learnt_from, two.learnt_from) == ("estimated", ("T1",), ("T2",))
    assert one.place[0] == pytest.approx(0.45, abs=0.03)
    assert two.place[0] - one.place[0] == pytest.approx(0.1, abs=0.02)
    study = learnt.found["cut", "A", "study", ""]
    assert study.learnt_from == ("T1", "T2")


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(100, 10**6), shift=st.floats(-0.2, 0.4))
def test_a_treated_tube_teaches_nothing(strategy: GatingStrategy, files: Path, seed: int, shift: float) -> None:
    pure = [teacher(files, "T1", "B1", seed=1), teacher(files, "D1", "B1", seed=3, source="donor")]
    treated = teacher(files, "T9", "B1", seed=seed, shift=shift, n=6_000, treated=True)
    assert learn(strategy, [*pure, treated]).found == learn(strategy, pure).found


def test_the_order_of_tubes_changes_nothing(strategy: GatingStrategy, files: Path) -> None:
    some = [teacher(files, f"T{k}", "B1", seed=k) for k in range(1, 4)]
    assert learn(strategy, some).found == learn(strategy, some[::-1]).found


def test_donors_stand_in_where_untreated_tubes_do_not_suffice(strategy: GatingStrategy, files: Path) -> None:
    few = teacher(files, "T1", "B1", seed=4, n=150)
    donor = teacher(files, "D1", "B1", seed=3, source="donor")
    assert gate_of(learn(strategy, [few, donor]), strategy, "A", "B1").learnt_from == ("D1",)


def test_a_batch_without_data_borrows_and_says_so(strategy: GatingStrategy, files: Path) -> None:
    learnt = learn(strategy, [teacher(files, "T1", "B1", seed=1), teacher(files, "T2", "B2", seed=4, n=150)])
    gate = gate_of(learnt, strategy, "A", "B2")
    assert (gate.status, gate.borrowed_from) == ("borrowed", "study")
    assert gate.reason == "150 events to learn from, wanted 400"
    assert gate.place == learnt.found["cut", "A", "study", ""].place
    nobody = learn(strategy, [teacher(files, "T2", "B2", seed=4, n=150)])
    template = gate_of(nobody, strategy, "A", "B2")
    assert (template.status, template.place, template.draws) == ("template", (0.45,), ())


def test_what_is_not_estimable_is_no_zero(strategy: GatingStrategy, files: Path) -> None:
    learnt = learn(strategy, [teacher(files, "T1", "B1", seed=4, n=150)])
    lost = gate_of(learnt, strategy, "B", "B1")
    assert (lost.status, lost.place) == ("not_estimable", ())
    gates = [gate_of(learnt, strategy, name, "B1") for name in ("A", "B")]
    counts = place(strategy, gates).apply(teacher(files, "T1", "B1", seed=4, n=150).sample).counts.set_index("name")
    assert counts.loc["A", "count"] > 0
    for name in ("B", "below B", "others"):
        assert counts.loc[name, "status"] == NOT_ESTIMABLE
        assert counts["count"].isna()[name]
        assert "events to learn from, wanted 400" in counts.loc[name, "reason"]


def test_a_tube_learns_what_is_its_own(files: Path, tmp_path: Path) -> None:
    text = TEXT.replace(
        "scope: batch, from: [untreated, donor],\n     borrow: [study, template]", "scope: tube, borrow: [template]"
    )
    (tmp_path / "strategy.yaml").write_text(text, encoding="utf-8")
    strategy = read_strategy(tmp_path)
    one = teacher(files, "T1", "B1", seed=1)
    other = teacher(files, "T2", "B1", seed=2, shift=0.1)
    wide = learn(strategy, [one])
    own, gates = learn_tube(strategy, other, wide)
    by_name = {gate.name: gate for gate in gates}
    assert (by_name["A"].scope, by_name["A"].unit, by_name["B"].learnt_from) == ("tube", "T2", ("T1",))
    assert by_name["A"].place[0] == pytest.approx(0.55, abs=0.03)
    assert own.learning.cuts[0].at == by_name["A"].place[0]
    counts = own.apply(other.sample).counts.set_index("name")
    assert counts.loc["A", "count"] == pytest.approx(0.3 * 3_000, rel=0.08)


def test_a_subject_learns_from_its_own_series_within_a_batch(files: Path, tmp_path: Path) -> None:
    text = TEXT.replace(
        "scope: batch, from: [untreated, donor],\n     borrow: [study, template]",
        "scope: subject, from: [untreated],\n     borrow: [batch, template]",
    )
    (tmp_path / "strategy.yaml").write_text(text, encoding="utf-8")
    strategy = read_strategy(tmp_path)
    (task,) = (task for task in tasks(strategy) if task.name == "A")
    tubes = [
        teacher(files, "P1-BL", "B1", seed=1, subject="P1"),
        teacher(files, "P1-SCR", "B1", seed=5, subject="P1"),
        teacher(files, "P1-late", "B2", seed=6, shift=0.1, subject="P1"),
        teacher(files, "P2-BL", "B1", seed=2, shift=0.1, subject="P2"),
        teacher(files, "P3-BL", "B1", seed=4, n=150, subject="P3"),
    ]
    learnt = learn(strategy, tubes)
    one = learnt.gate(task, "P1-BL", "P1", "B1")
    # both tubes of the subject in this batch, and none of another batch or subject
    assert (one.status, one.scope, one.unit, one.learnt_from) == ("estimated", "subject", "P1@B1", ("P1-BL", "P1-SCR"))
    assert one.place[0] == pytest.approx(0.45, abs=0.03)
    assert learnt.gate(task, "P1-late", "P1", "B2").learnt_from == ("P1-late",)
    assert learnt.gate(task, "P1-late", "P1", "B2").place[0] == pytest.approx(0.55, abs=0.03)
    assert learnt.gate(task, "P2-BL", "P2", "B1").learnt_from == ("P2-BL",)
    assert learnt.gate(task, "P2-BL", "P2", "B1").place[0] == pytest.approx(0.55, abs=0.03)
    # too few events of its own: the batch stands in
    third = learnt.gate(task, "P3-BL", "P3", "B1")
    assert (third.status, third.borrowed_from) == ("borrowed", "batch B1")
    assert third.reason == "150 events to learn from, wanted 400"


def test_gates_are_the_same_after_writing_them(strategy: GatingStrategy, files: Path) -> None:
    found = learn(strategy, [teacher(files, "T1", "B1", seed=1)]).found
    assert {key: LearntGate.from_plain(gate.plain()) for key, gate in found.items()} == found


def test_a_part_counts_as_the_whole(strategy: GatingStrategy, files: Path) -> None:
    sample = teacher(files, "T1", "B1", seed=1).sample
    whole = strategy.apply(sample).counts.set_index("population")["count"]
    part = above(strategy, [strategy.resolve("B")])
    assert list(part.paths) == ["cells", "cells/A", "cells/A/B"]
    counts = part.apply(sample).counts.set_index("population")["count"]
    assert counts.to_dict() == whole[counts.index].to_dict()
    assert above(strategy, [-1]).paths == ()


def test_packaged_strategies_never_learn_from_treated_tubes_what_interleukin_2_moves() -> None:
    gating = Path(__file__).parents[2] / "gating"
    for name in ("treg", "th17", "nk"):
        for task in tasks(read_strategy(gating / name)):
            if task.rule.scope != "tube":
                assert set(task.rule.sources) <= {"untreated", "donor", "fmo"}, (name, task.name)
            assert task.rule.why, (name, task.name)
