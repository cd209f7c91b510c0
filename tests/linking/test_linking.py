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


def clinical() -> pd.DataFrame:
    rows = [("P1", "BL", 12, 0.8, "SLE"), ("P2", "M12", 4, NAN, "SLE"), ("P4", "BL", 3, 1.1, "pSS")]
    return pd.DataFrame(rows, columns=["USUBJID", "AVISIT", "SLEDAI", "C3", "diagnosis"])


def test_clinical_values_are_a_third_modality(tmp_path: Path) -> None:
    linked = link(visits(), serum(), clinical())
    plain = link(visits(), serum())
    write_linked(linked, tmp_path / "linked.h5mu")
    with columns_stay():
        read = mudata.read_h5mu(tmp_path / "linked.h5mu")
    assert list(read.mod) == ["counts", "serum", "clinical"]
    assert read["clinical"].var_names.tolist() == ["SLEDAI", "C3"]
    np.testing.assert_array_equal(read["clinical"].X, [[12, 0.8], [4, NAN], [3, 1.1]])
    assert read["clinical"].obs["diagnosis"].tolist() == ["SLE", "SLE", "pSS"]
    # the lines of the two are as they were, and what is only clinical has its own
    pd.testing.assert_frame_equal(linked.report.iloc[:-1].drop(columns="n_clinical"), plain.report)
    told = linked.report.set_index(["USUBJID", "AVISIT"])
    assert told.loc[("P4", "BL"), ["status", "n_populations", "n_clinical"]].tolist() == ["only_clinical", 0, 2]
    assert told.loc[("P2", "M12"), "n_clinical"] == 1
    assert told.loc[("P1", "M12"), "n_clinical"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="AVISIT"), "lacks the column AVISIT"),
        (lambda t: pd.concat([t, t.iloc[:1]]), r"P1\|BL twice"),
        (lambda t: t.rename(columns={"C3": "IL-6"}), "IL-6: a clinical column and"),
    ],
)
def test_clinical_values_that_cannot_be_joined(change, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TableError, match=message):
        link(visits(), serum(), change(clinical()))
