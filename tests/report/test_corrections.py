"""Gates that overrides move: in the table under Provenance, and at the gates of the tube."""

from __future__ import annotations

import re
from dataclasses import replace

import fake_trial
import pandas as pd
import pytest

from il2cyto.errors import TableError
from il2cyto.report import build_report
from il2cyto.report.corrections import corrected_gates, list_corrections
from il2cyto.report.labels import Texts
from il2cyto.report.pictures import TubeSummary
from il2cyto.report.tubes import tube_entries

TREG, CD4 = fake_trial.path("treg", "Treg"), fake_trial.path("treg", "CD4")
LOT = "CD25 was stained with a new lot; see 批号 7"


@pytest.fixture(scope="module")
def trial():
    return fake_trial.make_inputs(with_plots=False)


def provenance(page: str) -> str:
    return page.split('<section id="provenance">')[1].split("</section>")[0]


def test_only_gates_that_hold_are_marked(trial):
    assert corrected_gates(trial.overrides) == {
        "P003-BL-TREG": {
            TREG: ("tube", "Bo Chen", "2026-03-04T01:00:00Z", "the population is dim in this tube"),
            CD4: ("batch", "Ann Other", "2026-03-02T06:05:00Z", LOT),
        },
        "P003-W12-TREG": {TREG: ("subject", "Ann Other", "2026-03-02T06:05:00Z", LOT)},
        "P003-W24-TREG": {TREG: ("subject", "Ann Other", "2026-03-02T06:05:00Z", LOT)},
    }
    assert corrected_gates(None) == {}


def test_a_tube_tells_the_place_of_each_gate_that_is_moved(trial):
    gate = (0, None, None, 5.0, 9.0, None, None, None, None, None, None, None, None)
    summaries = {
        tube: TubeSummary(0, paths=["cells", CD4, TREG], reasons=["", "", ""], gates=[gate, gate, gate])
        for tube in ("P003-BL-TREG", "P003-W12-TREG", "P004-BL-TREG")
    }
    texts = Texts()
    entries = {entry["id"]: entry for entry in tube_entries(trial, summaries, texts)}
    said = texts.all()
    moved = [(place, *(said[text] for text in rest)) for place, *rest in entries["P003-BL-TREG"]["moved"]]
    assert moved == [
        (1, "batch", "Ann Other", "2026-03-02T06:05:00Z", LOT),
        (2, "tube", "Bo Chen", "2026-03-04T01:00:00Z", "the population is dim in this tube"),
    ]
    assert [place for place, *_ in entries["P003-W12-TREG"]["moved"]] == [2]
    assert [tube for tube, entry in entries.items() if "moved" in entry] == ["P003-BL-TREG", "P003-W12-TREG"]


def test_tubes_of_one_override_stand_in_one_row(trial):
    found = [(one.override, one.population, one.status, one.tubes) for one in list_corrections(trial.overrides)]
    assert found == [
        ("p003", TREG, "a narrower override holds", ("P003-BL-TREG",)),
        ("dim", TREG, "applied", ("P003-BL-TREG",)),
        ("batch-2", CD4, "applied", ("P003-BL-TREG",)),
        ("p003", TREG, "applied", ("P003-W12-TREG", "P003-W24-TREG")),
    ]


def test_the_table_stands_under_provenance(trial):
    table = provenance(build_report(trial)).split("</table>")[0]
    rows = [re.sub(r"<[^>]+>", "|", row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)]
    assert len(rows) == 5
    cells = [cell.strip() for cell in rows[4].split("|") if cell.strip()]
    assert cells == [
        "Treg", "treg", "p003", "subject", "applied", "Ann Other", "2026-03-02T06:05:00Z", LOT,
        "P003-W12-TREG, P003-W24-TREG",
    ]  # fmt: skip


def test_a_study_without_overrides_says_so(trial):
    none = provenance(build_report(replace(trial, overrides=trial.overrides.iloc[:0])))
    assert "None: every gate is that of its strategy." in none
    assert "Corrected gates" not in build_report(replace(trial, overrides=None))


def test_hostile_words_stay_words(trial):
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    table = pd.DataFrame(hostile, index=[0], columns=trial.overrides.columns)
    shown = provenance(build_report(replace(trial, overrides=table)))
    assert "<script" not in shown
    assert "<img" not in shown
    assert shown.count("&lt;script&gt;alert(1)") == 9


def test_a_table_without_authors_is_refused(trial):
    with pytest.raises(TableError, match="overrides: the report needs the columns author"):
        replace(trial, overrides=trial.overrides.drop(columns="author"))
