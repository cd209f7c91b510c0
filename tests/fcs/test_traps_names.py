"""Traps of names and compensation: which matrix, whose rows, what is compensated already, names that are double."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bytes_of import DataSet, told, words

from il2cyto.errors import CompensationError, FcsError, PanelError
from il2cyto.fcs import read_fcs
from il2cyto.gating import read_strategy
from il2cyto.panel import Panel
from il2cyto.sample import Sample

NONE = "no matrix: gates that need it are refused"


def tube(path: Path, names: list[str], keys: dict[str, str | None], events: list[list[float]] | None = None) -> Sample:
    """A file of these channels, 100 in the first and 25 in the second unless told otherwise."""
    rows = events or [[100.0, 25.0, 0.0, 0.0, 0.0, 0.0][: len(names)]]
    named: dict[str, str | None] = {f"$P{i}N": name for i, name in enumerate(names, start=1)}
    made = DataSet(words(rows, "<f4"), bits=(32,) * len(names), datatype="F", keys=named | keys)
    sample = read_fcs(made.to(path))
    if not sample.repairs:
        read_fcs(path, strict=True)
    else:
        with pytest.raises(FcsError, match="deviates from the standard"):
            read_fcs(path, strict=True)
    return sample


# 24. which keyword


@pytest.mark.parametrize("key", ["$SPILLOVER", "SPILL", "$SPILL", "SPILLOVER", "spillover", "Spill"])
def test_trap_24_keywords_of_the_matrix(tmp_path: Path, key: str) -> None:
    matrix = tube(tmp_path / "a.fcs", ["A", "B"], {key: "2,A,B,1,0.25,0.5,1"}).spillover
    assert matrix is not None
    # rows are fluorochromes: A leaks 25 % into B
    assert matrix.values.tolist() == [[1.0, 0.25], [0.5, 1.0]]
    assert matrix.compensate([[100.0, 25.0]])[0] == pytest.approx([100.0, 0.0], abs=1e-12)


def test_trap_24_the_order_in_which_they_are_trusted(tmp_path: Path) -> None:
    keys: list[str] = ["SPILLOVER", "$SPILL", "SPILL", "$SPILLOVER"]
    given: dict[str, str | None] = {}
    for i, key in enumerate(keys, start=1):
        given[key] = f"2,A,B,1,0.{i},0,1"
        matrix = tube(tmp_path / "a.fcs", ["A", "B"], given).spillover
        assert matrix is not None
        assert matrix.values[0, 1] == i / 10
    # a blank one is none
    matrix = tube(tmp_path / "a.fcs", ["A", "B"], given | {"$SPILLOVER": " "}).spillover
    assert matrix is not None
    assert matrix.values[0, 1] == 0.3


@pytest.mark.parametrize(
    "keys",
    [
        {"$COMP": "2,0,-25,-50,0"},
        {"COMP": "2,1,0.25,0.5,1"},
        {"$DFC1TO2": "25", "$DFC2TO1": "50"},
        {"DFC1TO2": "25"},
        {"$SPILLOVERX": "2,A,B,1,0,0,1"},
    ],
)
def test_trap_24_percentages_to_subtract_are_no_spillover(tmp_path: Path, keys: dict[str, str | None]) -> None:
    sample = tube(tmp_path / "a.fcs", ["A", "B"], keys)
    assert sample.spillover is None
    assert sample.repairs == ()
    assert {key: sample.keywords[key] for key in keys} == keys


# 25. names


@pytest.mark.parametrize(
    ("written", "names", "labels", "detectors", "spelling"),
    [
        ("A,B", ["A", "B", "C"], ["", "", ""], ("A", "B"), None),
        ("B,A", ["A", "B", "C"], ["", "", ""], ("B", "A"), None),
        (" A , B ", ["A", "B", "C"], ["", "", ""], ("A", "B"), None),
        ("2,3", ["A", "B", "C"], ["", "", ""], ("B", "C"), "parameter numbers as names, as '2'"),
        ("CD4,CD8", ["A", "B", "C"], ["", "CD4", "CD8"], ("B", "C"), "labels ($PnS) as names, as 'CD4'"),
        ("A_x,B", ["A/x", "B", "C"], ["", "", ""], ("A/x", "B"), "names with _ for /, or the reverse, as 'A_x'"),
        ("A/x,B", ["A_x", "B", "C"], ["", "", ""], ("A_x", "B"), "names with _ for /, or the reverse, as 'A/x'"),
        ("<A>,<B>", ["A", "B", "C"], ["", "", ""], ("A", "B"), "names in angle brackets or with a prefix, as '<A>'"),
        ("A,B", ["<A>", "<B>", "C"], ["", "", ""], ("<A>", "<B>"), "names in angle brackets or with a prefix, as 'A'"),
        (
            "Comp-A,Comp-B", ["A", "B", "C"], ["", "", ""], ("A", "B"),
            "names in angle brackets or with a prefix, as 'Comp-A'",
        ),
    ],
)  # fmt: skip
def test_trap_25_names_of_the_matrix(
    tmp_path: Path, written: str, names: list[str], labels: list[str], detectors: tuple[str, ...], spelling: str | None
) -> None:
    keys: dict[str, str | None] = {f"$P{i}S": label or None for i, label in enumerate(labels, start=1)}
    sample = tube(tmp_path / "a.fcs", names, keys | {"$SPILLOVER": f"2,{written},1,0.25,0.5,1"})
    assert sample.spillover is not None
    assert sample.spillover.detectors == detectors
    assert sample.spillover.values.tolist() == [[1.0, 0.25], [0.5, 1.0]]
    wanted = [] if spelling is None else [("$SPILLOVER", spelling, ", ".join(detectors), True)]
    assert told(sample.repairs) == wanted


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2,A,X,1,0,0,1", "unknown channel 'X'"),
        ("2,1,9,1,0,0,1", "unknown channel '1'"),
        ("2,a,b,1,0,0,1", "unknown channel 'a'"),
        ("2,A,A,1,0,0,1", "matrix 'FCS': detector 'A' stands twice"),
        ("2,A,B,1,0,0", "$SPILLOVER announces 2 channels but holds 5 further items"),
        ("2,A,B", "$SPILLOVER announces 2 channels but holds 2 further items"),
        ("3,A,B,1,0,0,1", "$SPILLOVER announces 3 channels but holds 6 further items"),
        ("0", "$SPILLOVER announces 0 channels but holds 0 further items"),
        ("-1,A", "$SPILLOVER announces -1 channels but holds 1 further items"),
        ("two,A,B,1,0,0,1", "$SPILLOVER starts with 'two', wanted the number of channels"),
        ("2,A,B,1,x,0,1", "$SPILLOVER holds something that is no number: could not convert string to float: 'x'"),
        ("2,A,B,1,1,1,1", "matrix 'FCS': is singular, so it cannot be solved"),
        ("2,A,B,0,0,0,0", "matrix 'FCS': is singular, so it cannot be solved"),
        ("2,A,B,1,nan,0,1", "matrix 'FCS': holds a value that is not finite"),
        ("1000000000,A,B,1,0,0,1", "$SPILLOVER announces 1000000000 channels but holds 6 further items"),
    ],
)
def test_trap_25_a_matrix_that_is_none(tmp_path: Path, text: str, found: str) -> None:
    sample = tube(tmp_path / "a.fcs", ["A", "B"], {"$SPILLOVER": text})
    assert sample.spillover is None
    assert told(sample.repairs) == [("$SPILLOVER", found, NONE, True)]
    assert sample.events.tolist() == [[100.0, 25.0]]


def test_trap_25_labels_that_are_double_name_nothing(tmp_path: Path) -> None:
    keys: dict[str, str | None] = {"$P1S": "CD4", "$P2S": "CD4", "$SPILLOVER": "1,CD4,1"}
    sample = tube(tmp_path / "a.fcs", ["A", "B"], keys)
    assert sample.spillover is None
    assert told(sample.repairs) == [("$SPILLOVER", "unknown channel 'CD4'", NONE, True)]


def test_trap_25_a_prefix_that_two_channels_share_names_nothing(tmp_path: Path) -> None:
    sample = tube(tmp_path / "a.fcs", ["A", "Comp-A", "B"], {"$SPILLOVER": "2,<A>,B,1,0.5,0,1"})
    assert sample.spillover is None
    assert told(sample.repairs) == [("$SPILLOVER", "unknown channel '<A>'", NONE, True)]


def test_trap_25_no_rule_by_prefix_for_fluorochromes(tmp_path: Path) -> None:
    # Beckman's scatter is "FS INT" and "SS PEAK": what is in the matrix is compensated, nothing else
    names = ["FS INT", "SS PEAK", "Width", "Event_length", "SORT", "FL1 INT"]
    sample = tube(tmp_path / "a.fcs", names, {"$SPILLOVER": "1,FL1 INT,1"})
    assert sample.spillover is not None
    assert sample.spillover.detectors == ("FL1 INT",)


@pytest.mark.parametrize("prefix", ["Comp-", "FJComp-"])
def test_trap_25_prefixes_of_compensated_values(tmp_path: Path, prefix: str) -> None:
    sample = tube(tmp_path / "a.fcs", [f"{prefix}A", "B"], {})
    assert sample.compensated
    assert sample.names == (f"{prefix}A", "B")
    assert not tube(tmp_path / "b.fcs", ["Compound-A", "B-Comp-"], {}).compensated


STRATEGY = """\
strategy: test
version: "1"
compensation: {compensation}
populations:
- {{name: bright, parent: root, definition: d, gate: {{type: rectangle, dims: [{{channel: "{channel}", min: 50}}]}}}}
"""


def gated(folder: Path, sample: Sample, channel: str, compensation: str) -> int:
    folder.mkdir(exist_ok=True)
    (folder / "strategy.yaml").write_text(STRATEGY.format(channel=channel, compensation=compensation))
    (folder / "panel.csv").write_text("marker,channel,fluorochrome,aliases\n")
    return int(read_strategy(folder).apply(sample).counts["count"].iloc[0])


@pytest.mark.parametrize("matrix", ["2,Comp-A,Comp-B,1,0.5,0.5,1", "2,A,B,1,0.5,0.5,1"])
def test_trap_25_compensated_values_are_not_compensated_again(tmp_path: Path, matrix: str) -> None:
    sample = tube(tmp_path / "a.fcs", ["Comp-A", "Comp-B"], {"$SPILLOVER": matrix})
    assert sample.compensated
    with pytest.raises(
        CompensationError, match=r"channel 'Comp-A' is compensated already; a second .* wrong\. Take it as"
    ):
        gated(tmp_path / "s", sample, "Comp-A", "FCS")
    assert gated(tmp_path / "s", sample, "Comp-A", "uncompensated") == 1


def test_trap_25_compensated_values_without_a_matrix_are_refused_too(tmp_path: Path) -> None:
    sample = tube(tmp_path / "a.fcs", ["Comp-A", "Comp-B"], {})
    with pytest.raises(CompensationError, match="compensated already and it holds no matrix; take 'uncompensated'"):
        gated(tmp_path / "s", sample, "Comp-A", "FCS")
    assert gated(tmp_path / "s", sample, "Comp-A", "uncompensated") == 1


def test_trap_25_both_raw_and_compensated_channels(tmp_path: Path) -> None:
    names = ["A", "B", "Comp-A", "Comp-B"]
    events = [[100.0, 60.0, 100.0, 10.0]]
    sample = tube(tmp_path / "a.fcs", names, {"$SPILLOVER": "2,A,B,1,0.5,0,1"}, events)
    # the raw channel is compensated: 60 - 0.5 * 100 = 10; the other is not touched
    assert gated(tmp_path / "s", sample, "B", "FCS") == 0
    assert gated(tmp_path / "s", sample, "B", "uncompensated") == 1
    assert gated(tmp_path / "s", sample, "Comp-B", "FCS") == 0


def test_trap_25_a_refused_matrix_says_why_when_it_is_wanted(tmp_path: Path) -> None:
    sample = tube(tmp_path / "a.fcs", ["A", "B"], {"$SPILLOVER": "2,A,X,1,0,0,1"})
    with pytest.raises(CompensationError, match=r"\(\$SPILLOVER: unknown channel 'X'\)"):
        gated(tmp_path / "s", sample, "A", "FCS")


# 26. order


def test_trap_26_the_matrix_is_applied_by_name(tmp_path: Path) -> None:
    # B leaks 10 % into A, A leaks 25 % into B, written in another order than the channels
    events = [[100.0, 25.0], [10.0, 100.0]]
    sample = tube(tmp_path / "a.fcs", ["A", "B"], {"SPILL": "2,B,A,1,0.1,0.25,1"}, events)
    matrix = sample.spillover
    assert matrix is not None
    by_name = sample.events[:, [sample.index(name) for name in matrix.detectors]]
    assert matrix.compensate(by_name) == pytest.approx(np.array([[0.0, 100.0], [100.0, 0.0]]), abs=1e-12)
    assert gated(tmp_path / "s", sample, "A", "FCS") == 1
    assert gated(tmp_path / "s", sample, "B", "FCS") == 1


# 27. numbers of the matrix


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2,A,B,100,25,50,100", "100 to 100 on the diagonal, 0 to 50 beside it"),
        ("2,A,B,1,-25,-50,1", "1 to 1 on the diagonal, -50 to 0 beside it"),
        ("2,A,B,0.1,0,0,1", "0.1 to 1 on the diagonal, 0 to 0 beside it"),
    ],
)
def test_trap_27_numbers_that_are_no_fractions(tmp_path: Path, text: str, found: str) -> None:
    sample = tube(tmp_path / "a.fcs", ["A", "B"], {"$SPILLOVER": text})
    assert sample.spillover is not None
    assert told(sample.repairs) == [
        ("$SPILLOVER", found, "the matrix as it is, though these are no usual fractions", True)
    ]


@pytest.mark.parametrize("text", ["2,A,B,1,1.238,0,1", "2,A,B,1,-0.01,0,1", "2,A,B,0.98,0,0,1.02"])
def test_trap_27_numbers_that_instruments_write(tmp_path: Path, text: str) -> None:
    sample = tube(tmp_path / "a.fcs", ["A", "B"], {"$SPILLOVER": text})
    assert sample.spillover is not None
    assert sample.repairs == ()


# 28. names of channels


def test_trap_28_no_labels_at_all(tmp_path: Path) -> None:
    sample = tube(tmp_path / "a.fcs", ["A", "B"], {})
    assert [channel.pns for channel in sample.channels] == ["", ""]
    assert sample.names == ("A", "B")


def test_trap_28_blank_and_double_labels(tmp_path: Path) -> None:
    sample = tube(tmp_path / "a.fcs", ["A", "B", "C"], {"$P1S": " ", "$P2S": "x", "$P3S": "x"})
    assert [channel.pns for channel in sample.channels] == ["", "x", "x"]
    assert sample.index("B") == 1
    panel = Panel.from_csv(_panel(tmp_path, "x,,,\n"))
    with pytest.raises(PanelError, match=r"marker 'x' matches parameter 2 \('B'\) and parameter 3 \('C'\)"):
        panel.locate("x", sample.names, [channel.pns for channel in sample.channels])


def _panel(folder: Path, rows: str) -> Path:
    (folder / "panel.csv").write_text("marker,channel,fluorochrome,aliases\n" + rows)
    return folder / "panel.csv"


def test_trap_28_labels_match_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    tube(path, ["A", "B"], {"$P1S": "CD45RA", "$P2S": "CD4"})
    sample = read_fcs(path, panel=_panel(tmp_path, "CD4,,,CD4 PE\n"))
    assert sample.index("CD4") == 1


def test_trap_28_double_names_stay_apart(tmp_path: Path) -> None:
    sample = tube(tmp_path / "a.fcs", ["A", "B", "A", "A"], {})
    assert sample.names == ("A", "B", "A", "A")
    assert sample.events.tolist() == [[100.0, 25.0, 0.0, 0.0]]
    assert told(sample.repairs) == [
        ("$P3N", "'A', as parameter 1", "told apart by their numbers", False),
        ("$P4N", "'A', as parameter 1", "told apart by their numbers", False),
    ]
    assert sample.index("B") == 1
    with pytest.raises(PanelError, match=r"3 channels are called 'A' \(parameters 1, 3, 4\)"):
        sample.index("A")


def test_trap_28_a_matrix_of_double_names_is_refused(tmp_path: Path) -> None:
    sample = tube(tmp_path / "a.fcs", ["A", "B", "A"], {"$SPILLOVER": "2,A,B,1,0.5,0,1"})
    assert sample.spillover is None
    assert told(sample.repairs)[-1] == ("$SPILLOVER", "'A', the name of two channels", NONE, True)


@pytest.mark.parametrize("name", [None, "", "  "])
def test_trap_28_missing_names(tmp_path: Path, name: str | None) -> None:
    sample = tube(tmp_path / "a.fcs", ["A", "B"], {"$P2N": name, "$P2S": "CD8"})
    assert sample.names == ("A", "P2")
    assert sample.channels[1].pns == "CD8"
    assert told(sample.repairs)[-1] == ("$P2N", "missing", "P2", False)


def test_trap_28_a_made_up_name_does_not_hide_a_real_one(tmp_path: Path) -> None:
    sample = tube(tmp_path / "a.fcs", ["P2", "B"], {"$P2N": None})
    assert sample.names == ("P2", "P2")
    assert [repair.keyword for repair in sample.repairs] == ["$P2N", "$P2N"]


def test_trap_28_names_in_other_scripts(tmp_path: Path) -> None:
    sample = tube(tmp_path / "a.fcs", ["前向-A", "µ/B,C"], {"$P1S": "调节性T细胞"})
    assert sample.names == ("前向-A", "µ/B,C")
    assert sample.index("前向-A") == 0


# 29. whose matrix


def test_trap_29_a_strategy_s_own_matrix_comes_before_the_file_s(tmp_path: Path) -> None:
    sample = tube(tmp_path / "a.fcs", ["A", "B"], {"$SPILLOVER": "2,A,B,1,0,0,1"}, [[100.0, 60.0]])
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "matrix.csv").write_text("A,B\n1,0.5\n0,1\n")
    text = STRATEGY.format(channel="B", compensation="lab").replace(
        "populations:", "matrices: {lab: matrix.csv}\npopulations:"
    )
    (folder / "strategy.yaml").write_text(text)
    (folder / "panel.csv").write_text("marker,channel,fluorochrome,aliases\n")
    # 60 by the file's matrix, 10 by the strategy's
    assert int(read_strategy(folder).apply(sample).counts["count"].iloc[0]) == 0
    assert gated(tmp_path / "t", sample, "B", "FCS") == 1
