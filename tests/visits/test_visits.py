"""The visits object of a small trial, written by hand: a missing visit, a zero, a failed tube."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from il2cyto.errors import TableError
from il2cyto.provenance import hash_file
from il2cyto.visits import build_visits, check_visits, read_visits, write_visits

NAN = float("nan")
HEAD = ["subject", "visit", "tube_id", "strategy", "population", "count", "parent_count", "cells_per_ul", "status"]
ROWS: list[tuple[Any, ...]] = [
    ("P2", "BL", "A", "tbnk", "live/T/CD4", 2500, 3500, 250.0, "estimated"),
    ("P2", "BL", "A", "tbnk", "live/T", 3500, 5000, 350.0, "estimated"),
    ("P2", "BL", "A", "tbnk", "live/B", 0, 5000, 0.0, "estimated"),
    ("P2", "BL", "B", "treg", "live/T", 9000, 9900, NAN, "estimated"),
    ("P1", "M1", "C", "tbnk", "live/T", 1000, 4000, 100.0, "estimated"),
    ("P1", "M1", "C", "tbnk", "live/T/CD4", None, 1000, NAN, "not_estimable"),
    ("P1", "M1", "C", "tbnk", "live/B", 400, 4000, 40.0, "estimated"),
    ("P1", "M1", "D", "treg", "live/T", 5000, 9900, NAN, "estimated"),
]
COLUMNS = ["tbnk/live/B", "tbnk/live/T", "tbnk/live/T/CD4", "treg/live/T"]


def counts() -> pd.DataFrame:
    table = pd.DataFrame(ROWS, columns=HEAD)
    for column in ("count", "parent_count"):
        table[column] = table[column].astype("Int64")
    table["name"] = table["population"].str.rsplit("/").str[-1]
    table["parent"] = table["population"].str.rpartition("/")[0]
    table["definition"] = "d." + table["name"]
    table["role"] = ""
    table["percent_parent"] = (100 * table["count"] / table["parent_count"]).astype("Float64")
    table["cv"] = np.where(table["cells_per_ul"] > 0, 0.1, NAN)
    table["lower"] = table["cells_per_ul"] * 0.8
    table["upper"] = table["cells_per_ul"] * 1.25 + 0.3
    table["below_lloq"] = (table["count"] < 100).astype("boolean")
    return table


def visit_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "USUBJID": ["P2", "P1", "P1"],
            "AVISIT": ["BL", "M1", "BL"],
            "AVISITN": [0, 1, 0],
            "ADY": [1, 30, 1],
            "ARM": ["STD", "IL2", "IL2"],
            "DIAGNOSIS": ["SLE", "SLE", "SLE"],
            "AGE": [11.5, 9.0, 9.0],
            "SEX": [None, "F", "F"],
            "DSLD": [None, 2, None],
            "CYCDAY": [None, 3, None],
            "collection_date": ["2021-01-04", "2021-02-03", "2021-01-05"],
            "BSA": [1.2, 0.9, 0.9],
        }
    )


def missing(*visits: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(visits, columns=["subject", "visit"])


def build(**other: Any) -> AnnData:
    given = {"counts": counts(), "visit_table": visit_table(), "missing_visits": missing(("P2", "M1")), **other}
    given.setdefault(
        "provenance",
        {"versions": {"il2cyto": "0.1.0"}, "sha256": {"sheets/a.csv": "00", "study.yaml": "11"}, "panel": None},
    )
    return build_visits(**given)


def test_one_row_per_subject_and_visit() -> None:
    visits = build()
    assert visits.obs_names.tolist() == ["P1|BL", "P1|M1", "P2|BL"]
    assert visits.var_names.tolist() == COLUMNS
    np.testing.assert_array_equal(visits.X, [[NAN] * 4, [40, 100, NAN, NAN], [0, 350, 250, NAN]])
    np.testing.assert_array_equal(visits.layers["status"], [[2] * 4, [0, 0, 1, 0], [3, 0, 0, 0]])
    assert visits.layers["status"].dtype == np.int8
    np.testing.assert_array_equal(visits.layers["count"], [[NAN] * 4, [400, 1000, NAN, 5000], [0, 3500, 2500, 9000]])
    np.testing.assert_array_equal(
        visits.layers["parent_count"], [[NAN] * 4, [4000, 4000, 1000, 9900], [5000, 5000, 3500, 9900]]
    )
    np.testing.assert_allclose(visits.layers["percent_parent"][1], [10, 25, NAN, 100 * 5000 / 9900])
    np.testing.assert_allclose(visits.layers["lower"][2], [0, 280, 200, NAN])
    np.testing.assert_allclose(visits.layers["upper"][2], [0.3, 437.8, 312.8, NAN])
    np.testing.assert_array_equal(visits.layers["cv"][2], [NAN, 0.1, 0.1, NAN])
    assert visits.obs["ARM"].tolist() == ["IL2", "IL2", "STD"]
    assert visits.obs["SEX"].tolist() == ["F", "F", ""]
    np.testing.assert_array_equal(visits.obs["DSLD"], [NAN, 2, NAN])
    assert visits.obs["BSA"].tolist() == [0.9, 0.9, 1.2]
    assert visits.var["parent"].tolist() == ["live", "live", "live/T", "live"]
    assert set(visits.var["unit"]) == {"cells/µL"}
    notes = visits.uns["il2cyto"]
    assert notes["missing_visits"].tolist() == ["P2|M1"]
    assert notes["sha256"] == {"sheets": {"a.csv": "00"}, "study.yaml": "11"}
    assert "panel" not in notes
    assert notes["status_codes"]["2"] == "not measured"


def test_gates_and_quality_have_layers_where_counts_tell_of_them(tmp_path: Path) -> None:
    assert "gate_status" not in build().layers
    statuses = ["fixed", "estimated", "borrowed", "template", "overridden", "not_estimable", "estimated", "fixed"]
    table = counts().assign(
        gate_status=statuses,
        cv_gate=[0.0, 0.01, 0.02, NAN, 0.0, NAN, 0.03, 0.0],
        quality=["pass", "pass", "pass", "review", "fail", "fail", "fail", "pass"],
    )
    visits = build(counts=table)
    np.testing.assert_array_equal(visits.layers["gate_status"], [[-1] * 4, [1, 5, 4, 0], [2, 1, 0, 3]])
    np.testing.assert_array_equal(visits.layers["quality"], [[-1] * 4, [2, 2, 2, 0], [0, 0, 0, 1]])
    np.testing.assert_array_equal(visits.layers["cv_gate"], [[NAN] * 4, [0.03, 0, NAN, 0], [0.02, 0.01, 0, NAN]])
    assert visits.uns["il2cyto"]["gate_status_codes"]["3"] == "template"
    assert visits.uns["il2cyto"]["quality_codes"] == {"-1": "no tube", "0": "pass", "1": "review", "2": "fail"}
    write_visits(visits, tmp_path / "visits.h5ad")
    again = read_visits(tmp_path / "visits.h5ad")
    for name in ("gate_status", "quality", "cv_gate"):
        np.testing.assert_array_equal(again.layers[name], visits.layers[name])
    with pytest.raises(TableError, match=r"counts: quality = 'good' is none of no tube, pass, review, fail"):
        build(counts=table.assign(quality="good"))
    visits.layers["gate_status"][0, 0] = 9
    with pytest.raises(TableError, match=r"gate_status has unknown codes"):
        check_visits(visits)


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    turned = build(counts=counts().iloc[::-1], visit_table=visit_table().iloc[::-1])
    write_visits(build(), tmp_path / "a.h5ad")
    write_visits(turned, tmp_path / "b.h5ad")
    assert hash_file(tmp_path / "a.h5ad") == hash_file(tmp_path / "b.h5ad")


def test_the_file_keeps_everything_and_its_bytes(tmp_path: Path) -> None:
    visits = build()
    path = tmp_path / "visits.h5ad"
    write_visits(visits, path)
    first = hash_file(path)
    time.sleep(1.1)  # a stamp of the time, in seconds, would change the bytes
    write_visits(visits, path)
    assert hash_file(path) == first
    again = read_visits(path)
    np.testing.assert_array_equal(again.X, visits.X)
    assert set(again.layers) == set(visits.layers)
    for name in visits.layers:
        np.testing.assert_array_equal(again.layers[name], visits.layers[name])
        assert again.layers[name].dtype == visits.layers[name].dtype
    assert again.obs_names.tolist() == visits.obs_names.tolist()
    assert again.var_names.tolist() == COLUMNS
    for table, kept in ((again.obs, visits.obs), (again.var, visits.var)):
        assert list(table) == list(kept)
        for column in kept:
            np.testing.assert_array_equal(table[column].to_numpy(), kept[column].to_numpy())
    assert again.uns["il2cyto"]["sha256"] == visits.uns["il2cyto"]["sha256"]
    assert again.uns["il2cyto"]["missing_visits"].tolist() == ["P2|M1"]
    write_visits(again, path)
    assert hash_file(path) == first


def test_unknown_dates_and_ages_come_back_from_the_file(tmp_path: Path) -> None:
    table = visit_table().assign(collection_date=None, AGE=NAN)
    table["ADY"] = pd.array([None] * 3, dtype="Int64")
    write_visits(build(visit_table=table), tmp_path / "v.h5ad")
    obs = read_visits(tmp_path / "v.h5ad").obs
    assert obs["collection_date"].tolist() == ["", "", ""]
    assert obs[["ADY", "AGE"]].isna().all().all()


def test_a_counts_table_that_was_written_as_csv(tmp_path: Path) -> None:
    counts().to_csv(tmp_path / "counts.csv", index=False)
    again = build(counts=pd.read_csv(tmp_path / "counts.csv"))
    for name in again.layers:
        np.testing.assert_allclose(again.layers[name], build().layers[name], rtol=1e-15)


def test_no_missing_visits_and_no_counts(tmp_path: Path) -> None:
    visits = build(counts=counts().iloc[:0], missing_visits=missing(), provenance=None)
    assert visits.shape == (3, 0)
    write_visits(visits, tmp_path / "empty.h5ad")
    assert read_visits(tmp_path / "empty.h5ad").uns["il2cyto"]["missing_visits"].tolist() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visit_table": visit_table().iloc[1:]}, "tube A: visit_table lacks BL of P2"),
        ({"visit_table": pd.concat([visit_table()] * 2)}, r"holds P1\|BL more than once"),
        ({"visit_table": visit_table().assign(AVISIT="B|L")}, r"AVISIT 'B\|L' is empty or contains"),
        ({"visit_table": visit_table().drop(columns="AGE")}, "visit_table lacks the column 'AGE'"),
        ({"counts": counts().drop(columns="role")}, "counts lacks the column 'role'"),
        ({"counts": pd.concat([counts()] * 2)}, "tbnk/live/T/CD4 of P2 at BL is counted twice"),
        (
            {"counts": counts().assign(definition=[*"abcdefgh"])},
            "population tbnk/live/T has the definition 'b' and 'e'",
        ),
        ({"missing_visits": missing(("P1", "M1"))}, "a missing visit has a row"),
        ({"counts": counts().assign(lower=1000.0)}, "lie outside their limits"),
        ({"counts": counts().assign(parent_count=10)}, "exceeds its parent's"),
        ({"provenance": {"a": 1, "a/b": 2}}, "'a' of 'a/b' is a value and a folder"),
        ({"provenance": {"a/b": 1, "a": 2}}, "'a' is given twice"),
    ],
)
def test_tables_that_do_not_fit(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        build(**change)


def test_what_is_no_visits_object(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"obs lacks USUBJID; .*layer status is missing"):
        check_visits(AnnData(np.ones((1, 1))))
    visits = build()
    visits.X[0, 0] = 5.0
    with pytest.raises(TableError, match="cells/µL without a count"):
        write_visits(visits, tmp_path / "x.h5ad")
    assert not (tmp_path / "x.h5ad").exists()
    renamed = build()
    renamed.obs_names = ["a", "b", "c"]
    with pytest.raises(TableError, match=r"rows are not named subject\|visit"):
        check_visits(renamed)
    (tmp_path / "text.h5ad").write_text("no HDF5")
    with pytest.raises(TableError, match=r"text\.h5ad cannot be read"):
        read_visits(tmp_path / "text.h5ad")
    name = pd.DataFrame(index=pd.Index(["x"], dtype=object))
    anndata.AnnData(np.ones((1, 1)), obs=name, var=name).write_h5ad(tmp_path / "other.h5ad")
    with pytest.raises(TableError, match="not a visits object"):
        read_visits(tmp_path / "other.h5ad")
