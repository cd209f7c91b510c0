"""Counts and serum that overlap in part: every row has its line."""

from __future__ import annotations

import time
from pathlib import Path

import mudata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from il2cyto.errors import TableError
from il2cyto.linking import link, write_linked
from il2cyto.linking.join import columns_stay
from il2cyto.provenance import hash_file
from il2cyto.serum import read_serum
from il2cyto.visits import build_visits

NAN = float("nan")


def visits() -> AnnData:
    rows = [("P1", "BL", 100, 10.0), ("P1", "M12", 200, 20.0), ("P2", "BL", 300, NAN), ("P1", "M2", None, NAN)]
    counts = pd.DataFrame(rows, columns=["subject", "visit", "count", "cells_per_ul"])
    counts = counts.assign(
        tube_id=counts["subject"] + counts["visit"],
        strategy="treg",
        population="live/Treg",
        name="Treg",
        parent="live",
        definition="d",
        role="",
        parent_count=1000,
        percent_parent=NAN,
        cv=NAN,
        lower=counts["cells_per_ul"],
        upper=counts["cells_per_ul"],
        below_lloq=False,
        status=np.where(counts["count"].isna(), "not_estimable", "estimated"),
    )
    table = counts[["subject", "visit"]].set_axis(["USUBJID", "AVISIT"], axis="columns")
    table = table.assign(AVISITN=[0, 12, 0, 2], ADY=NAN, ARM="IL2", DIAGNOSIS="", AGE=NAN, SEX="", DSLD=NAN, CYCDAY=NAN)
    missing = pd.DataFrame({"subject": ["P2"], "visit": ["M12"]})
    return build_visits(counts, table.assign(collection_date=""), missing)


def serum() -> AnnData:
    rows = [
        ("P1", "BL", "IL-6", "<2.4"),
        ("P1", "BL", "IL-10", "5"),
        ("P1", "M2", "IL-6", "---"),
        ("P2", "M12", "IL-6", "3"),
        ("P3", "BL", "IL-6", "4"),
    ]
    return read_serum(pd.DataFrame(rows, columns=["subject", "visit", "analyte", "value"]).assign(unit="pg/mL"))


REPORT = pd.DataFrame(
    [
        ("P1", "BL", "matched", 1, 2),
        ("P1", "M2", "matched", 0, 0),
        ("P1", "M12", "only_counts", 1, 0),
        ("P2", "BL", "only_counts", 1, 0),
        ("P2", "M12", "only_serum", 0, 1),
        ("P3", "BL", "only_serum", 0, 1),
    ],
    columns=["USUBJID", "AVISIT", "status", "n_populations", "n_analytes"],
).assign(days_apart=np.nan)


def test_every_row_of_both_sides_is_kept_and_reported() -> None:
    linked = link(visits(), serum())
    pd.testing.assert_frame_equal(linked.report, REPORT, check_dtype=False)
    names = (REPORT["USUBJID"] + "|" + REPORT["AVISIT"]).tolist()
    assert set(linked.mdata.obs_names) == set(names)
    assert linked.mdata.n_obs == 6
    assert linked.mdata["counts"].obs_names.tolist() == visits().obs_names.tolist()
    np.testing.assert_array_equal(linked.mdata["counts"].X, visits().X)
    np.testing.assert_array_equal(linked.mdata["serum"].layers["censor"], serum().layers["censor"])
    assert linked.mdata.var_names.tolist() == ["treg/live/Treg", "IL-10", "IL-6"]


def test_serum_drawn_on_another_day_is_left_out_with_a_line() -> None:
    cells, values = visits(), serum()
    cells.obs["collection_date"] = "2020-09-01"
    values.obs["collection_date"] = ["2020-09-11" if name == "P1|BL" else "" for name in values.obs_names]
    near = link(cells, values, max_days_apart=10)
    assert near.report.set_index(["USUBJID", "AVISIT"]).loc[("P1", "BL"), ["status", "days_apart"]].tolist() == [
        "matched", 10.0,
    ]  # fmt: skip
    far = link(cells, values, max_days_apart=9)
    line = far.report.set_index(["USUBJID", "AVISIT"]).loc[("P1", "BL")]
    assert (line["status"], line["n_analytes"]) == ("too_far_apart", 2)
    assert "P1|BL" not in far.mdata["serum"].obs_names
    assert "P1|BL" in far.mdata["counts"].obs_names


def test_the_inputs_stay_as_they_are() -> None:
    left, right = visits(), serum()
    linked = link(left, right)
    linked.mdata["counts"].X[:] = -1.0
    np.testing.assert_array_equal(left.X, visits().X)


def test_the_file_keeps_everything_and_its_bytes(tmp_path: Path) -> None:
    linked = link(visits(), serum())
    write_linked(linked, tmp_path / "a.h5mu")
    assert linked.mdata["counts"].obs["ARM"].dtype == object
    time.sleep(1.1)
    write_linked(link(visits(), serum()), tmp_path / "b.h5mu")
    assert hash_file(tmp_path / "a.h5mu") == hash_file(tmp_path / "b.h5mu")
    with columns_stay():
        again = mudata.read_h5mu(tmp_path / "a.h5mu")
    np.testing.assert_array_equal(again["counts"].X, linked.mdata["counts"].X)
    np.testing.assert_array_equal(again["counts"].layers["status"], linked.mdata["counts"].layers["status"])
    np.testing.assert_array_equal(again["serum"].layers["censor"], linked.mdata["serum"].layers["censor"])
    assert again["counts"].uns["il2cyto"]["missing_visits"].tolist() == ["P2|M12"]
    assert again["counts"].obs["AVISIT"].tolist() == ["BL", "M2", "M12", "BL"]
    report = again.uns["join_report"].reset_index(drop=True)
    for column in REPORT:
        assert report[column].equals(REPORT[column].astype(report[column].dtype))


def test_data_that_cannot_be_linked() -> None:
    with pytest.raises(TableError, match="not a visits object"):
        link(serum(), serum())
    with pytest.raises(TableError, match="serum lacks obs column USUBJID, obs column AVISIT, layer censor"):
        link(visits(), AnnData(np.ones((1, 1))))
    renamed = serum()
    renamed.var_names = ["IL-10", "treg/live/Treg"]
    with pytest.raises(TableError, match="treg/live/Treg: both a population and an analyte"):
        link(visits(), renamed)
    moved = serum()
    moved.obs["AVISIT"] = "BL"
    with pytest.raises(TableError, match=r"rows are not named subject\|visit"):
        link(visits(), moved)
