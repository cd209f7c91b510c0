"""Serum tables as laboratories write them, against hand-written expectations."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.errors import TableError
from il2cyto.serum import read_serum
from il2cyto.serum.values import read_concentration

NAN = float("nan")
SHEET = """subject,visit,visit_number,analyte,value,unit,lloq,uloq,plate
P1,BL,0,IL-6,<2.4,pg/mL,2.4,5000,7
P1,BL,0,sCD25,2200,U/mL,,,7
P1,M1,1,IL-6,8.1,pg/mL,2.4,5000,7
P2,BL,0,IL-6,OOR >,pg/mL,2.4,5000,8

P2,BL,0,sCD25,---,U/mL,,,8
P2,M12,12,IL-6,1.9,pg/mL,3.0,4000,9
"""


@pytest.mark.parametrize(
    ("text", "lloq", "uloq", "expected"),
    [
        ("3.2", "", "", (3.2, 0, NAN, NAN)),
        ("3.2", "2.4", "5000", (3.2, 0, 2.4, 5000)),
        ("2.4", "2.4", "5000", (2.4, 0, 2.4, 5000)),
        ("1.1", "2.4", "5000", (2.4, -1, 2.4, 5000)),
        ("0", "2.4", "", (2.4, -1, 2.4, NAN)),
        ("-0.3", "2.4", "", (2.4, -1, 2.4, NAN)),
        ("6000", "2.4", "5000", (5000, 1, 2.4, 5000)),
        ("<2.4", "", "", (2.4, -1, 2.4, NAN)),
        ("< 2.4", "3", "", (3, -1, 3, NAN)),
        ("<4.8", "2.4", "", (4.8, -1, 4.8, NAN)),
        (">5000", "", "", (5000, 1, NAN, 5000)),
        (">5000", "", "4000", (4000, 1, NAN, 4000)),
        ("OOR <", "2.4", "", (2.4, -1, 2.4, NAN)),
        ("oor>", "2.4", "5000", (5000, 1, 2.4, 5000)),
        ("", "2.4", "5000", (NAN, 0, 2.4, 5000)),
        ("NaN", "", "", (NAN, 0, NAN, NAN)),
        ("*", "", "", (NAN, 0, NAN, NAN)),
        ("---", "---", "", (NAN, 0, NAN, NAN)),
        ("1.5e3", "", "", (1500, 0, NAN, NAN)),
    ],
)
def test_values(text: str, lloq: str, uloq: str, expected: tuple[float, int, float, float]) -> None:
    found = read_concentration(text, lloq, uloq)
    np.testing.assert_array_equal([found.value, found.censor, found.lloq, found.uloq], expected)


@pytest.mark.parametrize(
    ("text", "lloq", "uloq", "message"),
    [
        ("3,2", "", "", "'3,2' has a comma"),
        ("1,234.5", "", "", "comma"),
        ("<2,4", "", "", "comma"),
        ("3.2", "2,4", "", "lloq '2,4' has a comma"),
        ("low", "", "", "'low' is no number"),
        ("*3.2", "", "", "is no number"),
        ("inf", "", "", "is no number"),
        ("1e999", "", "", "is no number"),
        ("0", "", "", "no lloq below which"),
        ("-1", "", "", "no lloq below which"),
        ("<0", "", "", "must be positive"),
        ("OOR <", "", "5000", "needs the lloq"),
        ("OOR >", "2.4", "", "needs the uloq"),
        ("3", "5", "5", "lloq 5 is not below uloq 5"),
        ("3", "-1", "", "must be positive"),
    ],
)
def test_values_that_cannot_be_read(text: str, lloq: str, uloq: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_concentration(text, lloq, uloq)


@given(value=st.floats(0.001, 1e6), lloq=st.floats(0.01, 100), span=st.floats(1.5, 1000))
def test_a_concentration_is_within_its_limits_and_censored_only_at_them(value: float, lloq: float, span: float) -> None:
    found = read_concentration(repr(value), repr(lloq), repr(lloq * span))
    assert found.lloq <= found.value <= found.uloq
    assert found.censor == (value > lloq * span) - (value < lloq)
    if found.censor == 0:
        assert found.value == value


def test_a_sheet(tmp_path: Path) -> None:
    path = tmp_path / "serum.csv"
    path.write_text(SHEET, encoding="utf-8")
    serum = read_serum(path)
    assert serum.obs_names.tolist() == ["P1|BL", "P1|M1", "P2|BL", "P2|M12"]
    assert serum.obs["USUBJID"].tolist() == ["P1", "P1", "P2", "P2"]
    assert serum.obs["AVISIT"].tolist() == ["BL", "M1", "BL", "M12"]
    assert serum.obs["AVISITN"].tolist() == [0, 1, 0, 12]
    assert serum.var_names.tolist() == ["IL-6", "sCD25"]
    assert serum.var["unit"].tolist() == ["pg/mL", "U/mL"]
    np.testing.assert_array_equal(serum.var[["lloq", "uloq"]], [[3.0, 4000], [NAN, NAN]])
    np.testing.assert_array_equal(serum.X, [[2.4, 2200], [8.1, NAN], [5000, NAN], [3.0, NAN]])
    np.testing.assert_array_equal(serum.layers["censor"], [[-1, 0], [0, 0], [1, 0], [-1, 0]])
    np.testing.assert_array_equal(serum.layers["lloq"], [[2.4, NAN], [2.4, NAN], [2.4, NAN], [3.0, NAN]])
    assert serum.uns["il2cyto"]["columns_not_used"].tolist() == ["plate"]
    assert not (serum.X == 1.2).any()


def test_row_order_does_not_matter_and_the_file_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "serum.csv"
    path.write_text(SHEET, encoding="utf-8")
    serum = read_serum(path)
    table = pd.read_csv(path)
    turned = read_serum(table.iloc[::-1])
    np.testing.assert_array_equal(turned.X, serum.X)
    pd.testing.assert_frame_equal(turned.obs, serum.obs)
    serum.write_h5ad(tmp_path / "serum.h5ad", convert_strings_to_categoricals=False)
    again = anndata.read_h5ad(tmp_path / "serum.h5ad")
    np.testing.assert_array_equal(again.layers["censor"], serum.layers["censor"])
    np.testing.assert_array_equal(again.X, serum.X)
    assert again.obs_names.tolist() == serum.obs_names.tolist()


def sheet(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "s.csv"
    path.write_text("\n".join(["subject,visit,analyte,value,unit", *rows]), encoding="utf-8")
    return path


def test_every_problem_is_named_with_its_line(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        'P1,BL,IL-6,"2,4",pg/mL',
        "P1,M1,IL-6,3.0,pg/mL",
        "P1,M1,IL-6,3.1,pg/mL",
        "P2,BL,IL-6,3.0,ng/mL",
        "P|2,BL,IL-2,3.0,pg/mL",
        ",BL,IL-2,OOR <,",
    )
    with pytest.raises(TableError) as caught:
        read_serum(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == "s.csv: 7 problem(s)"
    assert lines[1].startswith("  line 2 (P1, BL, IL-6): value '2,4' has a comma")
    assert lines[2].startswith("  line 6: subject 'P|2' contains '|'")
    assert lines[3:5] == ["  line 7: subject is empty", "  line 7: unit is empty"]
    assert "needs the lloq" in lines[5]
    assert lines[6] == "  line 3 and line 4 both give P1, M1, IL-6; keep one"
    assert lines[7].startswith("  line 5: IL-6 in ng/mL, but in pg/mL in line 3")


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"lacks the column 'analyte' \(did you mean 'analytes'\?\); 'unit'"):
        read_serum(pd.DataFrame(columns=["subject", "visit", "analytes", "value"]))
    with pytest.raises(TableError, match=r"none\.csv cannot be read"):
        read_serum(tmp_path / "none.csv")
    table = pd.DataFrame({"subject": ["P1", "P2"], "visit": "BL", "analyte": "IL-6", "value": 3.0, "unit": "pg/mL"})
    with pytest.raises(TableError, match="row 2: visit BL has number 1, but 0 in row 1"):
        read_serum(table.assign(visit_number=[0, 1]))
    assert read_serum(table).obs["AVISITN"].isna().all()
