from __future__ import annotations

import pandas as pd

from il2cyto.report.flags import group_failures, group_flags


def rows(*lines):
    columns = ["tube_id", "strategy", "population", "name", "cells_per_ul", "below_lloq", "status", "reason", "flags"]
    return pd.DataFrame(lines, columns=columns)


def test_flags_are_grouped():
    counts = rows(
        ("T1", "treg", "CD4/Treg", "Treg", 3.0, True, "estimated", "", "below_lloq;below_lod;few_beads"),
        ("T1", "treg", "CD4", "CD4", 40.0, False, "estimated", "", "few_beads"),
        ("T2", "treg", "CD4/Treg", "Treg", 4.0, True, "estimated", "", "below_lloq"),
        ("T3", "treg", "CD4/Treg", "Treg", None, None, "not_estimable", "marker absent: CD25", ""),
        ("T3", "treg", "CD4/ICOS", "ICOS", None, pd.NA, "not_estimable", "marker absent: CD25", None),
        ("T3", "treg", "singlets", "singlets", None, False, "estimated", "not below CD4, which carries the chain", ""),
        ("T3", "treg", "time", "time", None, pd.NA, "estimated", "", ""),
    )
    below, lost, other, uncounted = group_flags(counts)
    assert (below.n, [(g.what, g.share, g.places) for g in below.groups]) == (
        2,
        [("Treg (treg)", "2 of 3 tubes", ("T1", "T2"))],
    )
    assert (lost.n, [(g.what, g.share, g.places) for g in lost.groups]) == (
        2,
        [("marker absent: CD25 (Treg, ICOS)", "2 populations in 1 tube", ("T3",))],
    )
    assert (other.n, [(g.what, g.share, g.places) for g in other.groups]) == (
        1,
        [("below LOD (Treg)", "1 tube, 1 population", ("T1",)), ("few beads", "1 tube, 2 populations", ("T1",))],
    )
    assert (uncounted.n, [(g.what, g.share) for g in uncounted.groups], uncounted.expected) == (
        1,
        [("not below CD4, which carries the chain (singlets)", "1 population in 1 tube")],
        True,
    )


def test_failures_that_say_the_same_share_a_line():
    columns = ["severity", "step", "tube_id", "subject", "visit", "tube", "kind", "message", "remedy"]
    failures = pd.DataFrame(
        [
            ["notice", "check", "T1", "P1", "BL", "A", "repair", "T1: $TOT is 0", "none"],
            ["notice", "check", "T2", "P2", "BL", "A", "repair", "T2: $TOT is 0", "none"],
            ["failure", "gate", "T3", "P3", "BL", "A", "FcsError", "T3: cut short", "export again"],
            ["failure", "link", None, "P4", "BL", None, "TableError", "no serum", ""],
        ],
        columns=columns,
    )
    (notice,) = group_failures(failures, "notice")
    assert (notice.message, notice.places) == ("$TOT is 0", ("T1", "T2"))
    cut, serum = group_failures(failures, "failure")
    assert (cut.message, cut.places) == ("cut short", ("T3",))
    assert (serum.places, serum.kind) == (("P4 · BL",), "TableError")
