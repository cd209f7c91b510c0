"""An override that a program writes: it says what was meant, it is whole, and the audit log knows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unicodedata import category

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leaks import Tube, write_study

from il2cyto.errors import OutputError, ParameterError, StrategyError, StudyError
from il2cyto.gates import Dimension, EllipsoidGate, Gate, Limits, PolygonGate, QuadrantGate, Ratio, RectangleGate
from il2cyto.gating import GatingStrategy
from il2cyto.gating.strategy import Population
from il2cyto.provenance.chain import walk
from il2cyto.steps.audit import verify_results
from il2cyto.steps.check import check
from il2cyto.steps.gates import strategy_for
from il2cyto.steps.overrides import override_table, write_override
from il2cyto.steps.run import run_study
from il2cyto.study import Study, read_study

TIME = datetime(2026, 3, 2, 6, 5, tzinfo=UTC)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return read_study(write_study(tmp_path, "x", [Tube("nothing") for _ in range(3)]))


def again(study: Study) -> Study:
    return read_study(study.folder / "x.yaml")


def strategy(study: Study) -> GatingStrategy:
    return strategy_for(study.records[0]).strategy


def moved(study: Study, minimum: float = 110.0, name: str = "big") -> Population:
    before = strategy(study).populations[strategy(study).resolve(name)]
    assert isinstance(before.gate, RectangleGate)
    return replace(before, gate=RectangleGate((replace(before.gate.limits[0], minimum=minimum),)))


def write(study: Study, scope: dict[str, Any], populations: Sequence[Population] | None = None, **more: Any) -> Path:
    given = {"author": "Ann Other", "reason": "debris", "time": TIME, **more}
    return write_override(study, scope=scope, populations=populations or [moved(study)], **given)


def test_what_is_written_is_what_holds(study: Study) -> None:
    path = write(study, {"tubes": ["S01-BL-T", "S02-BL-T"]})
    assert path == study.folder / "overrides" / "tube-S01-BL-T-1.yaml"
    (override,) = again(study).overrides
    assert (override.author, override.reason, override.time) == ("Ann Other", "debris", "2026-03-02T06:05:00Z")
    assert (override.level, override.scope) == ("tube", ("S01-BL-T", "S02-BL-T"))
    for record in again(study).records:
        gates = strategy_for(record).strategy
        if record.overrides:
            assert gates.populations[0] == replace(moved(study), parent="root")
        assert bool(record.overrides) == (record.tube_id in override.scope)
    assert [path.name for path in (study.folder / "overrides").iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        ({"tubes": "S01-BL-T"}, "tube-S01-BL-T-1"),
        ({"subject": "S01", "template": "gates of x"}, "subject-S01-1"),
        ({"template": "gates of x"}, "template-gates-of-x-1"),
    ],
)
def test_every_scope(study: Study, scope: dict[str, Any], name: str) -> None:
    assert write(study, scope).stem == name
    assert len(again(study).overrides) == 1


def test_names_are_numbered_and_nothing_is_written_over(study: Study) -> None:
    first = write(study, {"tubes": ["S01-BL-T"]})
    content = first.read_bytes()
    second = write(again(study), {"tubes": ["S01-BL-T"]}, [moved(study, 2.0, "CD4")])
    assert [first.stem, second.stem] == ["tube-S01-BL-T-1", "tube-S01-BL-T-2"]
    assert first.read_bytes() == content
    write(again(study), {"tubes": ["S02-BL-T"]}, name="mine")
    with pytest.raises(OutputError, match=r"overrides/mine.yaml: is there already"):
        write(again(study), {"tubes": ["S00-BL-T"]}, name="mine")
    write(again(study), {"tubes": ["S00-BL-T"]}, name="mine", replace=True)
    assert {one.name: one.scope for one in again(study).overrides}["mine"] == ("S00-BL-T",)


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"reason": " "}, ParameterError, "reason: an override says who moved the gates and why"),
        ({"author": ""}, ParameterError, "author: an override says"),
        ({"time": datetime(2026, 3, 2)}, ParameterError, "give it with its zone"),
        ({"scope": {"tube": "S01-BL-T"}}, ParameterError, "wants one of tubes, subject, batch, template, got tube"),
        ({"scope": {}}, ParameterError, "got nothing"),
        ({"scope": {"tubes": ["S99-BL-T"]}}, ParameterError, "has no tube of tubes S99-BL-T"),
        ({"scope": {"tubes": ["S01-BL-T", "S91-BL-T"]}}, StudyError, "no such tube"),
        ({"scope": {"subject": "S01"}}, StudyError, "add template"),
        ({"scope": {"tubes": ["S01-BL-T", "S01-M1-W"]}}, StudyError, "moves the gates of one strategy"),
        ({"name": "../out"}, ParameterError, "letters, digits"),
        (
            {"populations": [Population("huge", "root", RectangleGate((Limits(Dimension("CD4"), 1.0),)))]},
            StrategyError,
            "no population",
        ),
    ],
)
def test_what_is_refused_leaves_nothing(
    study: Study, more: dict[str, Any], error: type[Exception], message: str
) -> None:
    given = {"scope": {"tubes": ["S01-BL-T"]}, **more}
    with pytest.raises(error, match=message):
        write(study, given.pop("scope"), **given)
    assert not (study.folder / "overrides").exists() or list((study.folder / "overrides").iterdir()) == []


def test_a_second_one_of_the_same_scope_is_refused(study: Study) -> None:
    write(study, {"tubes": ["S01-BL-T"]})
    with pytest.raises(
        StrategyError, match=r"tube-S01-BL-T-2.yaml, line 8: overrides/tube-S01-BL-T-1.yaml moves big too"
    ):
        write(again(study), {"tubes": ["S01-BL-T"]})
    assert len(again(study).overrides) == 1


def test_the_audit_log_tells_of_it_once(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "r"
    run_study(study, out)
    path = write(study, {"tubes": ["S01-BL-T"]}, results=out)
    last = list(walk((out / "audit.jsonl").read_bytes()))[-1].fields
    assert (last["what"], last["override"], last["author"]) == ("override added", path.stem, "Ann Other")
    write(again(study), {"tubes": ["S01-BL-T"]}, [moved(study, 112.0)], name=path.stem, replace=True, results=out)
    assert verify_results(out).problems == ()
    run_study(again(study), out)
    whats = [entry.fields["what"] for entry in walk((out / "audit.jsonl").read_bytes())]
    assert [what for what in whats if what.startswith("override")] == ["override added", "override changed"]
    assert whats[-3:] == ["run started", "tube result replaced", "run finished"]
    assert verify_results(out).problems == ()


def test_results_and_check_say_which_gates_differ_and_by_whom(study: Study, tmp_path: Path) -> None:
    write(study, {"tubes": ["S01-BL-T"]}, name="narrow")
    write(again(study), {"subject": "S01", "template": "gates of x"}, [moved(study, 115.0)], name="wide")
    table = override_table(again(study))
    assert table[["tube_id", "population", "override", "level", "status"]].to_numpy().tolist() == [
        ["S01-BL-T", "big", "wide", "subject", "a narrower override holds"],
        ["S01-BL-T", "big", "narrow", "tube", "applied"],
        ["S01-M1-T", "big", "wide", "subject", "applied"],
    ]
    run_study(again(study), tmp_path / "r")
    written = pd.read_csv(tmp_path / "r" / "overrides.csv")
    assert written.to_numpy().tolist() == table.to_numpy().tolist()
    assert set(written["author"]) == {"Ann Other"}
    assert check(study.folder / "x.yaml").moved == (
        "overrides/narrow.yaml: big (tube S01-BL-T) in 1 tube, by Ann Other, 2026-03-02T06:05:00Z: debris",
        "overrides/wide.yaml: big (subject S01) in 1 tube of 2, by Ann Other, 2026-03-02T06:05:00Z: debris",
    )


numbers = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)
dimensions = st.builds(
    Dimension,
    st.sampled_from(["FSC-A", "CD4", "SSC-A"]),
    st.sampled_from(["FCS", "uncompensated"]),
    st.sampled_from(["lin", None]),
)
ratios = st.builds(Dimension, st.builds(Ratio, st.just("FSC-A"), st.just("SSC-A"), st.just(2.0), numbers, numbers))


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    kind = draw(st.sampled_from(["rectangle", "polygon", "ellipsoid", "quadrant"]))
    two = tuple(draw(st.lists(dimensions, min_size=2, max_size=2, unique_by=lambda one: one.label)))
    if kind == "rectangle":
        return RectangleGate(tuple(Limits(one, draw(numbers), None) for one in (*two, draw(ratios))))
    if kind == "polygon":
        vertices = draw(st.lists(st.tuples(numbers, numbers), min_size=3, max_size=6, unique=True))
        return PolygonGate(two, tuple(vertices))  # type: ignore[arg-type]  # two of them
    if kind == "ellipsoid":
        return EllipsoidGate(two, (draw(numbers), draw(numbers)), ((2.0, 0.5), (0.5, 1.0)), 1.5)
    return QuadrantGate(two, ((draw(numbers),), (draw(numbers),)), (draw(st.sampled_from([0, 1])), 1))


@given(gates(), st.text(min_size=1, max_size=40), st.booleans())
def test_any_gate_and_any_reason_come_back(
    tmp_path_factory: pytest.TempPathFactory, gate: Gate, reason: str, complement: bool
) -> None:
    study = shared(tmp_path_factory)
    population = Population("CD4", "big", gate, complement)
    unseen = [one for one in reason.strip() if category(one) in ("Cc", "Cf", "Cs", "Cn") and one not in "\n\t"]
    if unseen or not reason.strip():
        # what no file of a study may hold
        with pytest.raises(ParameterError, match=r"invisible character|who moved the gates and why"):
            write(study, {"tubes": ["S01-BL-T"]}, [population], reason=reason)
        return
    path = write(study, {"tubes": ["S01-BL-T"]}, [population], reason=reason)
    try:
        read = again(study)
        record = next(one for one in read.records if one.tube_id == "S01-BL-T")
        after = strategy_for(record).strategy.populations[1]
        assert (after.gate, after.complement) == (gate, complement)
        assert read.overrides[0].reason == reason.strip()
    finally:
        path.unlink()


_STUDIES: list[Study] = []


def shared(factory: pytest.TempPathFactory) -> Study:
    if not _STUDIES:
        _STUDIES.append(read_study(write_study(factory.mktemp("shared"), "x", [Tube("nothing") for _ in range(3)])))
    return _STUDIES[0]
