"""The MIFlowCyt record: what files tell, what the study says, and "not provided" for the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fake_trial
import numpy as np
import pytest
from test_page import HOSTILE, Page

from il2cyto.compensation import SpilloverMatrix
from il2cyto.exchange import read_strategies
from il2cyto.gates import (
    BooleanGate,
    Dimension,
    EllipsoidGate,
    Limits,
    Operand,
    PolygonGate,
    QuadrantGate,
    RectangleGate,
)
from il2cyto.gating import GatingStrategy, Population
from il2cyto.report import build_report
from il2cyto.report.gates import describe_gate, gate_tables, matrix_table, matrix_values, transform_table
from il2cyto.report.record import InstrumentLog, miflowcyt
from il2cyto.study.miflowcyt import ITEMS
from il2cyto.transforms import Linear

TREG = read_strategies(Path(__file__).parents[2] / "gating" / "treg").default


def log(*voltages):
    made = InstrumentLog()
    for voltage in voltages:
        channel = {"name": "PE-A", "marker": "CD25", "fluorochrome": "PE", "voltage": voltage, "filter": "585/42"}
        made.add("TREG", {"cytometer": "FACSCanto II", "channels": [channel]})
    return made


def test_settings_that_differ_are_counted():
    assert log("480", "480").table().rows == (("TREG", "FACSCanto II", "PE-A", "CD25", "PE", "585/42", "480"),)
    table = log("480", "490", "480", "").table()
    assert table.columns == ("tube", "cytometer", "channel", "marker", "fluorochrome", "filter, nm", "voltage, V")
    assert table.rows[0][-1] == "480 (2 tubes), not provided (1 tube), 490 (1 tube)"


def test_items_by_hand():
    trial = replace(fake_trial.make_inputs(with_plots=False), miflowcyt={"organism": "Homo sapiens"})
    sections = miflowcyt(trial, log("480", "490"), 71)
    assert [title for title, _ in sections] == [
        "1 Experiment overview",
        "2 Flow sample (specimen) description",
        "3 Instrument details",
        "4 Data analysis details",
    ]
    items = {item.name: item for _, items in sections for item in items}
    assert len(items) == len(ITEMS)
    assert items["Source organism"].said == "Homo sapiens"
    assert items["Instrument model"].told == "FACSCanto II (2 tubes)"
    assert items["Phenotype"].told == "SLE (n = 4), 系统性红斑狼疮 (n = 4), Sjögren (n = 4)"
    assert items["List-mode data files"].told.startswith("71 FCS files")
    assert items["Date"].told == "blood collected 2024-03-01 to 2024-03-01"
    for name in ("Keywords", "Organisation", "Primary contact", "Age", "Sex", "Sample treatment", "Compensation"):
        assert not items[name].provided, name


def test_the_page_says_not_provided():
    page = Page(build_report(fake_trial.make_inputs(with_plots=False)))
    record = page.text.split("MIFlowCyt record\n")[1]
    assert "1.4Organisationnot provided" in record.replace("\n", "")


X, Y = Dimension("CD25", "FCS", "t"), Dimension("CD127", "FCS", "t")
GATES = {
    "0.2 (linear 20) ≤ CD25 [t] < 0.6 (linear 60)": RectangleGate((Limits(X, 0.2, 0.6),)),
    "CD25 [t] ≥ 0.2 (linear 20) and CD127 [t] < 0.5 (linear 50)": RectangleGate((Limits(X, 0.2), Limits(Y, None, 0.5))),
    "CD25 [t] × CD127 [t]: (0, 0), (1, 0), (0, 1.5)": PolygonGate((X, Y), ((0.0, 0.0), (1.0, 0.0), (0.0, 1.5))),
    "CD25 [t] × CD127 [t]: centre (0.5, 0.5), covariance (2, 0; 0, 1), squared distance ≤ 4": EllipsoidGate(
        (X, Y), (0.5, 0.5), ((2.0, 0.0), (0.0, 1.0)), 4.0
    ),
    "a and not b": BooleanGate("and", (Operand("a"), Operand("b", complement=True))),
    "not a": BooleanGate("not", (Operand("a"),)),
}


@pytest.mark.parametrize("said", GATES)
def test_gates_in_words(said):
    first = Population("a", "root", RectangleGate((Limits(X, 0.1),)))
    second = Population("b", "root", RectangleGate((Limits(X, 0.3),)))
    strategy = GatingStrategy("s", (first, second), transforms={"t": Linear(T=100.0, A=0.0)})
    assert describe_gate(GATES[said], strategy) == said


def test_tables_of_a_strategy():
    matrix = SpilloverMatrix("m", ("B", "Y"), np.array([[1.0, 0.125], [0.0, 1.0]]))
    quadrant = QuadrantGate((Dimension("B", "m", "t"),), ((0.5,),), (1,))
    strategy = GatingStrategy(
        "s", (Population("high", "root", quadrant, complement=True, definition="x.v1"),),
        transforms={"t": Linear(T=100.0, A=0.0)}, matrices={"m": matrix},
    )  # fmt: skip
    used = (("T", strategy), ("T2", strategy))
    assert matrix_table(used[:1]).rows == (
        ("T", "s", "m", "spillover matrix of the strategy, 2 × 2", f"SHA-256 {matrix.content_hash}"),
    )
    (values,) = matrix_values(used)
    assert values.rows == (("B", "1", "0.125"), ("Y", "0", "1"))
    assert transform_table(used[:1]).rows == (("T", "s", "t", "linear", "y = (x + A) / (T + A)", "T = 100, A = 0"),)
    assert gate_tables(used)[0].rows == (
        ("high", "all events", "quadrant", "not inside: B [t] ≥ 0.5 (linear 50)", "x.v1"),
    )


def test_a_packaged_strategy_is_described_whole():
    (table,) = gate_tables((("TREG", TREG),))
    assert [row[0] for row in table.rows] == [population.name for population in TREG.populations]
    assert all(row[3] for row in table.rows)
    assert TREG.content_hash in table.title


def test_many_strategies_of_single_tubes_do_not_fill_the_page():
    own = tuple(("T", replace(TREG, version=str(i))) for i in range(700))
    assert len(gate_tables(own)) == 5


def test_hostile_names_of_the_study_are_inert():
    gate = RectangleGate((Limits(Dimension(HOSTILE), 1.0),))
    name = HOSTILE.replace("/", "|")
    strategy = GatingStrategy(HOSTILE, (Population(name, "root", gate, definition=HOSTILE),))
    trial = fake_trial.make_inputs(with_plots=False)
    sheet = trial.counts[["tube_id", "subject", "arm", "visit", "tube"]].drop_duplicates("tube_id")
    made = replace(
        trial,
        strategies=((HOSTILE, strategy),),
        miflowcyt=dict.fromkeys(ITEMS, HOSTILE),
        checks=trial.counts[["subject"]].head(3).assign(check=HOSTILE, value=1.0, verdict="fail", reason=HOSTILE),
        tubes=sheet.assign(tube_id=sheet["tube_id"] + HOSTILE, tube=HOSTILE, batch=HOSTILE, instrument=HOSTILE),
    )
    page, plain = Page(build_report(made)), Page(build_report(trial))
    assert set(page.tags) <= set(plain.tags) | {"details", "summary"}
    assert page.tags.count("script") == 2
    assert not [a for a in page.attributes if a[1].startswith("on")]
    links = [value for tag, key, value in page.attributes if key == "href"]
    assert all(link.startswith("#") or link == "data:," for link in links)
