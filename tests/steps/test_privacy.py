"""A patient's name that stands anywhere in the files of a study reaches no result but ``paths.csv``."""

from __future__ import annotations

import shutil
from pathlib import Path

import mudata
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from leaks import NAMES, PLACES, Tube, leaks, needles, write_study

from il2cyto.errors import StudyError
from il2cyto.linking.join import columns_stay
from il2cyto.steps.run import RunSummary, run_study
from il2cyto.study import read_study

#: Places that leave the file readable, so that the tube is gated.
HARMLESS = ("$FIL", "$SRC", "$P2S", "$P2N", "$VOL", "PATIENT NAME", "keyword twice", "named keyword twice", "nothing")


def run(folder: Path, name: str, tubes: list[Tube]) -> tuple[RunSummary, Path]:
    study = write_study(folder, name, tubes)
    out = study.parent / f"results of {name}"
    return run_study(read_study(study), out), out


@pytest.mark.parametrize(("name", "encoding"), [(name, encodings[-1]) for name, encodings in NAMES.items()])
def test_every_place_of_a_file_alone(tmp_path: Path, name: str, encoding: str) -> None:
    tubes = [Tube(place, encoding) for place in PLACES]
    summary, out = run(tmp_path, name, tubes)
    assert leaks(out, name) == []
    failures = pd.read_csv(out / "failures.csv")
    failed = set(failures.loc[failures["severity"] == "failure", "tube_id"])
    gated = {f"S{i:02d}-BL-T" for i, tube in enumerate(tubes)} - failed
    assert {f"S{list(PLACES).index(place):02d}-BL-T" for place in HARMLESS} <= gated
    assert summary.n_failures >= 15


def test_a_second_run_tells_no_more(tmp_path: Path) -> None:
    name = "Xanthippe Quillfeather"
    summary, out = run(tmp_path, name, [Tube("$SRC"), Tube("keyword twice"), Tube("$VOL"), Tube("$TOT")])

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file() and path.suffix != ".log"}

    before = files()
    again = run_study(read_study(out.parent / f"{name}.yaml"), out)
    assert again.n_reused == summary.n_gated == 7
    assert leaks(out, name) == []
    assert files() == before


@st.composite
def studies(draw: st.DrawFn) -> tuple[str, list[Tube]]:
    name = draw(st.sampled_from(sorted(NAMES)))
    tube = st.builds(Tube, st.sampled_from(sorted(PLACES)), st.sampled_from(NAMES[name]))
    return name, draw(st.lists(tube, min_size=2, max_size=6))


# an example takes a second, and the message names the file and the word: shrinking would only take time
@settings(max_examples=settings.default.max_examples // 25, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(studies())
def test_any_few_files(tmp_path_factory: pytest.TempPathFactory, planted: tuple[str, list[Tube]]) -> None:
    folder = tmp_path_factory.mktemp("planted")
    name, tubes = planted
    _, out = run(folder, name, tubes)
    assert leaks(out, name) == []
    shutil.rmtree(folder)


def test_the_search_finds_the_name_in_what_a_run_must_not_write(tmp_path: Path) -> None:
    """The inputs, which hold the name in every way, are what the search finds."""
    for name, encodings in NAMES.items():
        study = write_study(tmp_path, name, [Tube("$SRC", encodings[-1]), Tube("PATIENT NAME", encodings[-1])])
        found = leaks(study.parent, name)
        places = {line.rpartition(": ")[0] for line in found}
        for path in study.parent.rglob("*"):
            if path.name not in ("fcs",):
                assert path.relative_to(study.parent).as_posix() in places, path


def test_paths_tell_the_lab_which_file_a_tube_is(tmp_path: Path) -> None:
    name = "Xanthippe Quillfeather"
    tubes = [Tube("$SRC"), Tube("$TOT"), Tube("truncated"), Tube("matrix that names a channel")]
    summary, out = run(tmp_path, name, tubes)
    paths = pd.read_csv(out / "paths.csv", dtype=str).fillna("")
    assert set(paths["identifying"]) == {"identifying: do not share"}
    by_tube = paths[paths["what"] == "tube"].set_index("tube_id")
    assert by_tube["path"]["S01-BL-T"] == f"fcs/{name}/1 {name}.fcs"
    assert name in by_tube["messages"]["S01-BL-T"]
    assert by_tube["messages"]["S00-M1-T"].startswith("S00-M1-T: events 20 events, wanted at least 2500")
    assert "which no row of the sample sheet names" in paths.set_index("path")["messages"][f"{name} absent.fcs"]
    assert by_tube["sha256"]["S01-BL-W"] == ""
    assert set(by_tube["sha256"].drop("S01-BL-W").str.len()) == {64}
    files = paths[~paths["what"].isin(["tube", "gates without a tube"])].set_index("what")["path"]
    assert files["samples"] == f"samples of {name}.csv"
    assert [f.whole for f in summary.findings if f.kind == "FcsError" and name in f.whole]


def test_failures_stay_useful(tmp_path: Path) -> None:
    name = "Xanthippe Quillfeather"
    tubes = [Tube("$SRC"), Tube("$TOT"), Tube("truncated"), Tube("$SPILLOVER"), Tube("two channels of the label")]
    _, out = run(tmp_path, name, tubes)
    table = pd.read_csv(out / "failures.csv", dtype=str).fillna("")
    failures = table[table["severity"] == "failure"].set_index("tube_id")
    assert failures.index.tolist() == ["S01-BL-T", "S02-BL-T", "S03-BL-T", "S04-BL-T", "S01-BL-W"]
    assert (failures["remedy"] != "").all()
    assert "truncated" in failures["message"]["S02-BL-T"]
    assert "holds none that can be used" in failures["message"]["S03-BL-T"]
    assert "matches parameter 2 and parameter 3 by $PnS; name one channel" in failures["message"]["S04-BL-T"]
    assert all(row["message"].startswith(f"{tube_id}: ") for tube_id, row in failures.iterrows())
    notices = table[table["severity"] == "notice"]
    sheet = notices[notices["kind"] == "sheet"]
    assert "samples sheet, line 11, fcs: no FCS file is there" in "\n".join(sheet["message"])
    assert sheet.loc[sheet["message"].str.contains("line 11"), "tube_id"].tolist() == ["S01-BL-W"]
    assert "dosing sheet, treatment: the sheet has several treatments" in "\n".join(sheet["message"])
    surplus = notices.loc[notices["kind"] == "no file", "message"].tolist()
    assert surplus == [
        "the workspace of tube type W has gates for 1 file that no row of the sample sheet names; paths.csv lists it"
    ]
    page = (out / "report.html").read_text(encoding="utf-8")
    for tube_id, row in failures.iterrows():
        assert tube_id in page
        assert row["remedy"] in page
    assert "paths.csv" in page


def test_words_that_nobody_vouches_for_get_numbers(tmp_path: Path) -> None:
    name = "Xanthippe Quillfeather"
    _, out = run(tmp_path, name, [Tube("nothing"), Tube("nothing")])
    counts = pd.read_csv(out / "counts.csv").drop_duplicates("subject").set_index("subject")["diagnosis"]
    assert counts.to_dict() == {"S00": "diagnosis 1", "S01": "SLE"}
    with columns_stay():
        linked = mudata.read_h5mu(out / "linked.h5mu")
    assert linked["serum"].var["unit"].to_dict() == {"IL-6": "pg/mL", "analyte 1": "unit 1"}
    told = pd.read_csv(out / "paths.csv").set_index("what")["messages"]
    assert f"diagnosis = '{name}': a word that is not known to name no patient" in told["samples"]
    assert "results call it 'analyte 1'" in told["serum"]


def test_words_that_the_study_lists_stand_in_results(tmp_path: Path) -> None:
    study = write_study(tmp_path, "Quillfeather syndrome", [Tube("nothing"), Tube("nothing")])
    listed = study.read_text(encoding="utf-8") + "words: [Quillfeather syndrome]\n"
    study.write_text(listed, encoding="utf-8")
    run_study(read_study(study), tmp_path / "r")
    assert set(pd.read_csv(tmp_path / "r" / "counts.csv")["diagnosis"]) == {"Quillfeather syndrome", "SLE"}
    notices = pd.read_csv(tmp_path / "r" / "failures.csv")["message"]
    assert not notices.str.contains("a word that is not known").any()


@pytest.mark.parametrize(
    ("sheet", "old", "new"),
    [
        ("samples", "comment\n", "comment,patient\n"),
        ("samples", ",A,", ",NAME,"),
        ("samples", ",BL,", ",NAME,"),
        ("samples", ",11,", ",NAME,"),
        ("samples", "S00-BL-T,", "NAME S00-BL-T,"),
        ("dosing", "S00,", "NAME,"),
        ("serum", ",BL,", ",NAME,"),
    ],
)
def test_a_name_where_the_study_declares_words_is_refused(tmp_path: Path, sheet: str, old: str, new: str) -> None:
    name = "Xanthippe Quillfeather"
    study = write_study(tmp_path, name, [Tube("nothing"), Tube("nothing")])
    path = study.parent / f"{sheet} of {name}.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new.replace("NAME", name), 1), encoding="utf-8")
    with pytest.raises(StudyError):
        read_study(study)


def test_parts_of_names_are_searched_as_bytes_may_spell_them() -> None:
    assert {"Müller".encode().decode("latin-1").casefold(), r"m\xfcller", "müller"} <= needles("Jo Müller")
