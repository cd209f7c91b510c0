"""Exports of plate readers to wells, and wells to concentrations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from il2cyto.errors import TableError
from il2cyto.serum import AssaySettings, Logistic, quantify, read_kit, read_plate, read_plate_map, with_kit, with_map
from il2cyto.serum.plates.wells import Plate, wells_table

CURVE = Logistic(a=15, b=1.05, c=1500, d=25000)


def write(tmp_path: Path, text: str, name: str = "plate.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def plate(samples: dict[str, tuple[float, float]], name: str = "1", shift: float = 1.0, **more: float) -> Plate:
    """A plate of nine levels in duplicate, and samples as (concentration in the well, dilution)."""
    rows = []
    for level in range(9):
        dose = 0.0 if level == 0 else 10000 / 4.0 ** (8 - level)
        for copy, factor in enumerate((0.98, 1.02)):
            kind = "S" if level else "B"
            signal = float(CURVE.signal(dose)) * factor
            rows.append({"well": f"{'AB'[copy]}{level + 1}", "sample": f"Standard {level}", "type": kind,
                         "level": str(level), "signal": signal, "expected": dose, "dilution": 1.0})  # fmt: skip
    for i, (sample, (dose, dilution)) in enumerate(samples.items()):
        for copy, factor in enumerate((0.98, 1.02)):
            rows.append({"well": f"{'CD'[copy]}{i + 1}", "sample": sample.split("@")[0], "type": "U", "signal":
                         float(CURVE.signal(dose * shift)) * factor, "dilution": dilution})  # fmt: skip
    common = {"plate": name, "analyte": "IL-6", "unit": "pg/mL", "bead_count": 100.0, **more}
    return Plate(wells_table([{**common, **row} for row in rows], name), "table")


def test_bio_plex_blocks(tmp_path: Path) -> None:
    text = (
        "IL-6 (25),,,,,,,\nType,Well,Description,FI,FI - Bkgd,Obs Conc,Exp Conc,Dilution,Bead Count\n"
        "S1,A1,,12000.5,11990,10020.3,10000,1,88\nX1,B1,P001 V1,310,300,OOR <,,4,90\n"
        "C1,C1,Control Low,99,90,*3.5,4,1,70\nB,D1,,10,,***,,1,80\n\nTNF (33),,,,,,,\n"
        "Type,Well,Description,FI,FI - Bkgd,Obs Conc,Exp Conc,Dilution,Bead Count\nX1,B1,P001 V1,55,45,2.5,,4,90\n"
    )
    found = read_plate(write(tmp_path, text))
    assert found.format == "Bio-Plex"
    columns = ["well", "sample", "type", "level", "analyte", "signal", "dilution", "side", "bead_count"]
    assert found.wells[columns].to_numpy().tolist() == [
        ["A1", "A1", "S", "1", "IL-6", 12000.5, 1.0, "", 88.0],
        ["B1", "P001 V1", "U", "1", "IL-6", 310.0, 4.0, "<", 90.0],
        ["C1", "Control Low", "QC", "1", "IL-6", 99.0, 1.0, "", 70.0],
        ["D1", "D1", "B", "", "IL-6", 10.0, 1.0, "", 80.0],
        ["B1", "P001 V1", "U", "1", "TNF", 55.0, 4.0, "", 90.0],
    ]
    assert found.wells["value"].tolist()[:3] == pytest.approx([10020.3, np.nan, 3.5], nan_ok=True)


def test_msd(tmp_path: Path) -> None:
    text = (
        "Sample,Assay,Well,Dilution,Concentration,Signal,Mean,CV,% Recovery,Calc. Concentration\n"
        "S001,IL-2,A1,1,2500,1200345,1200000,1.1,99.8,2499\nU001,IL-2,B1,2,,345,350,2.0,,0.91\n"
    )
    found = read_plate(write(tmp_path, text))
    assert found.format == "MSD"
    assert found.wells[["type", "level", "expected", "value"]].to_numpy().tolist()[0] == ["S", "1", 2500.0, 2499.0]


def test_concentrations_as_legendplex_and_fcap_array_write_them(tmp_path: Path) -> None:
    text = "LEGENDplex results,,\nSample,IL-2 (A4) (pg/mL),IL-6 (A5) (pg/mL)\nC3,100.0,200.0\nP001 V1,<2.44,8.1\n"
    found = read_plate(write(tmp_path, text))
    assert found.format == "LEGENDplex"
    columns = ["sample", "type", "analyte", "unit", "value", "side"]
    assert found.wells[columns].to_numpy().tolist()[2:] == [
        ["P001 V1", "U", "IL-2", "pg/mL", 2.44, "<"], ["P001 V1", "U", "IL-6", "pg/mL", 8.1, ""],
    ]  # fmt: skip
    text = "FCAP Array\nSample;IL-2 MFI;IL-2 pg/mL Concentration\n" + "P001;12,5;3,25\n"
    found = read_plate(write(tmp_path, text.replace("IL-2 pg/mL Concentration", "IL-2 Concentration")))
    assert found.wells[["analyte", "signal", "value"]].to_numpy().tolist() == [["IL-2", 12.5, 3.25]]


def test_the_grid_of_an_elisa_reader_with_its_map(tmp_path: Path) -> None:
    grid = write(tmp_path, "IL-17A\n,1,2,3\nA,0.05,0.10,0.20\nB,0.40,*,0.80\n")
    rows = "well,sample,type,level,dilution\nA1,Blank,B,0,\nA2,Std 1,S,1,\nB3,P001,U,,10\n"
    found = with_map(read_plate(grid), read_plate_map(write(tmp_path, rows, "map.csv")))
    table = found.wells.set_index("well")
    assert (table.loc["A1", "type"], table.loc["A1", "expected"]) == ("B", 0.0)
    assert table.loc["B3", ["sample", "dilution", "signal"]].tolist() == ["P001", 10.0, 0.8]
    assert "B2" not in table.index
    with pytest.raises(TableError, match="the plate has no well H12"):
        with_map(read_plate(grid), pd.DataFrame({"well": ["H12"], "sample": ["P9"]}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has no line of headings with a well or sample"),
        ("well,analyte,signal\nA1,IL-6,1\nA1,IL-6,2\n", "gives IL-6 twice"),
        ("well,analyte,signal\nA1,IL-6,many\n", r"line 2, signal of IL-6: 'many' is no number"),
        ("sample,IL-6\nP1,5\n", "signals or concentrations"),
        ("well,analyte,signal,dilution\nA1,IL-6,5,0\n", "must be above 0"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_plate(write(tmp_path, text))


def test_a_semicolon_in_a_comment_separates_nothing(tmp_path: Path) -> None:
    text = "well,sample,analyte,signal,comment\nA1,P1,IL-6,12.5,pale; repeated\nB1,P2,IL-6,13.5,\n"
    assert read_plate(write(tmp_path, text)).wells["signal"].tolist() == [12.5, 13.5]


def test_what_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "plate.xls"
    path.write_bytes(b"PK\x03\x04....")
    with pytest.raises(TableError, match="is a spreadsheet; save the sheet with the wells as CSV"):
        read_plate(path)


def test_samples_of_a_plate() -> None:
    asked = {"inside": (100.0, 2.0), "below": (0.01, 2.0), "above": (1e6, 2.0)}
    assay = quantify([plate(asked)], AssaySettings(model="4PL"))
    got = assay.samples.set_index("sample")
    assert got["censor"].to_dict() == {"inside": 0, "below": -1, "above": 1}
    assert got.loc["inside", "value"] == pytest.approx(200.0, rel=0.02)
    curve = assay.curves.iloc[0]
    assert curve["status"] == "accepted"
    # the limit itself, of the undiluted sample
    assert got.loc["below", "value"] == got.loc["below", "lloq"] == 2 * curve["lloq"]
    assert got.loc["above", "value"] == 2 * curve["uloq"]


def test_order_and_names_of_wells_change_nothing() -> None:
    one = plate({"P1": (100.0, 2.0), "P2": (3.0, 1.0)})
    shuffled = one.wells.sample(frac=1, random_state=3).reset_index(drop=True)
    names = {well: f"H{i}" for i, well in enumerate(shuffled["well"].unique())}
    other = Plate(shuffled.assign(well=shuffled["well"].map(names)), "table")
    tables = [quantify([p]).samples.sort_values("sample").reset_index(drop=True) for p in (one, other)]
    pd.testing.assert_frame_equal(*tables)


def test_dilutions_and_the_hook_effect() -> None:
    straight = quantify([plate({"P@1": (100.0, 1.0), "P@10": (10.0, 10.0)})]).samples.iloc[0]
    assert (straight["dilution"], straight["flags"]) == (1.0, "")
    hooked = quantify([plate({"P@1": (100.0, 1.0), "P@10": (50.0, 10.0)})]).samples.iloc[0]
    assert hooked["dilution"] == 10.0
    assert "hook effect?" in hooked["flags"]
    assert "% RSD" in hooked["flags"]


def test_dead_wells_give_no_number() -> None:
    dead = plate({"P1": (100.0, 1.0)})
    wells = dead.wells.copy()
    wells.loc[wells["well"] == "C1", "bead_count"] = 0.0
    got = quantify([Plate(wells, "table")]).samples.iloc[0]
    assert got["n_replicates"] == 1
    assert "1 of 2 wells not used" in got["flags"]
    wells.loc[wells["sample"] == "P1", "bead_count"] = 0.0
    got = quantify([Plate(wells, "table")]).samples.iloc[0]
    assert np.isnan(got["value"])
    assert got["reason"] == "no well can be used: 0 beads, fewer than 35"
    few = plate({"P1": (100.0, 1.0)})
    few = Plate(few.wells[few.wells["level"].isin(["", "1", "2", "3"])], "table")
    got = quantify([few]).samples.iloc[0]
    assert np.isnan(got["value"])
    assert "3 levels with readings; a curve needs 6" in got["reason"]


def swapped(*pairs: tuple[str, str]) -> Plate:
    """A plate of four analytes in which wells hold each other's contents."""
    one = plate({"P1": (100.0, 1.0), "P2": (3.0, 1.0)}).wells
    wells = pd.concat([one.assign(analyte=name) for name in ("IL-2", "IL-6", "TNF", "IFN-g")], ignore_index=True)
    signals = wells.set_index(["well", "analyte"])["signal"]
    other = dict(pairs) | {b: a for a, b in pairs}
    wells["signal"] = [signals[other.get(w, w), a] for w, a in zip(wells["well"], wells["analyte"], strict=True)]
    return Plate(wells, "table")


def test_swapped_wells_are_told() -> None:
    assert quantify([swapped()]).notes == ()
    both = quantify([swapped(("A3", "A6"), ("B3", "B6"))])
    assert both.notes == (
        "standards 2 and 5 from the lowest of 1 have each other's signals (4 analytes together): swapped wells?",
    )
    assert both.samples["value"].isna().all()
    # neighbours: the curve holds from the standards above on, and says no number below
    near = quantify([swapped(("A4", "A5"), ("B4", "B5"))])
    assert "standards 3 and 4 from the lowest of 1 have each other's signals" in near.notes[0]
    assert (near.curves["lloq"] == 156.25).all()
    assert (near.samples["censor"] == -1).all()
    # one of two repeats
    one = quantify([swapped(("A3", "A6"))])
    assert [note.partition(" differ")[0] for note in one.notes] == [
        "wells A3, B3 of standard 2 from the lowest of 1", "wells A6, B6 of standard 5 from the lowest of 1",
    ]  # fmt: skip
    # samples: nothing but their repeats can tell
    samples = quantify([swapped(("C1", "C2"))])
    assert samples.notes == ()
    assert samples.samples["flags"].str.contains("repeats differ by 13[34] % CV").all()


def test_a_competitive_assay_falls_and_is_in_order() -> None:
    wells = plate({"P1": (100.0, 1.0)}).wells.copy()
    wells["signal"] = 30000 - wells["signal"]
    assay = quantify([Plate(wells, "table")])
    assert assay.notes == ()
    assert assay.samples["value"].iloc[0] == pytest.approx(100.0, rel=0.05)


def test_negative_net_signals_are_below_the_limit() -> None:
    wells = plate({"P1": (100.0, 1.0), "P2": (3.0, 1.0)}).wells.copy()
    wells["signal"] -= 15.0
    wells.loc[wells["sample"] == "P2", "signal"] = -4.0
    got = quantify([Plate(wells, "table")]).samples.set_index("sample")
    assert got["censor"].to_dict() == {"P1": 0, "P2": -1}
    assert got.loc["P2", "value"] == got.loc["P2", "lloq"]
    # blanks of -0.3 and 0.3 do not bend the curve
    assert got.loc["P1", "value"] == pytest.approx(100.0, rel=0.005)


def test_drift_between_plates() -> None:
    both = [plate({"bridge": (100.0, 1.0)}), plate({"bridge": (100.0, 1.0)}, "2", shift=2.0)]
    drift = quantify(both).drift
    assert drift["deviation_percent"].round(0).tolist() == [-29.0, 41.0]
    assert (drift["warning"] != "").all()


def test_a_lost_decimal_separator_is_told_and_left_out() -> None:
    one = plate({"P1": (100.0, 1.0)})
    wells = one.wells.copy()
    wells.loc[wells["level"] == "3", "expected"] = 9765625.0
    assay = quantify([Plate(wells, "table")])
    assert "lost decimal separator?" in assay.notes[0]
    assert assay.curves["n_left_out"].iloc[0] == 2
    assert assay.samples["value"].iloc[0] == pytest.approx(100.0, rel=0.02)


def test_plate1_of_drlumi(reference: Path, tmp_path: Path) -> None:
    """The vendor's concentrations out of the vendor's coefficients, and our own curves beside them."""
    path = reference / "cytokine-assays" / "plate1.csv"
    read = read_plate(path)
    wells = read.wells
    assert (read.format, len(wells), len(read.curves)) == ("xPONENT", 2880, 30)
    given = wells[wells["value"].notna() & (wells["side"] == "")]
    # the vendor inverts net signals: the signal less that of the blanks, as its block Net MFI has it
    lines = path.read_text().splitlines()
    start = lines.index(next(line for line in lines if line.startswith("DataType:,Net MFI"))) + 1
    net = pd.read_csv(path, skiprows=start, nrows=96, header=0)
    net["well"] = net["Location"].str.extract(r"(\w+)\)$")
    signal = net.set_index("well")
    ours, inside = [], []
    for row in given.to_dict("records"):
        curve, y = read.curves[row["analyte"]], float(signal.loc[row["well"], row["analyte"]])
        ours.append(row["dilution"] * float(curve.concentration(y)) if row["dilution"] == row["dilution"] else np.nan)
        inside.append(y <= 0.8 * curve.infinity)
    ratio = np.abs(np.array(ours) / given["value"].to_numpy() - 1)
    assert len(given) == 2580
    # near the top of the curve the vendor's search stops early
    assert (ratio <= 1e-3).sum() == 2554
    assert (ratio[np.array(inside)] <= 1e-3).all()
    assert ratio.max() < 1e-2
    # 30 expected concentrations have lost their decimal separator
    assay = quantify([read])
    assert sum("lost decimal separator?" in note for note in assay.notes) == 30


def test_own_curves_of_plate1(reference: Path) -> None:
    read = read_plate(reference / "cytokine-assays" / "plate1.csv")
    # two-fold dilutions of the highest standard, whose concentration has no lost separator
    tops = read.wells[(read.wells["type"] == "S") & (read.wells["level"] == "1")].drop_duplicates("analyte")
    kit = pd.DataFrame(
        [(row.analyte, str(level), row.expected / 2.0 ** (level - 1), "pg/mL")
         for row in tops.itertuples() for level in range(1, 17)],
        columns=["analyte", "level", "concentration", "unit"],
    )  # fmt: skip
    assay = quantify([with_kit(read, kit)])
    assert (assay.curves["status"] == "accepted").all()
    limits = assay.curves.set_index("analyte")
    levels = assay.standards
    inside = [limits.lloq[r.analyte] <= r.expected <= limits.uloq[r.analyte] for r in levels.itertuples()]
    assert (levels[inside].groupby("analyte")["within"].mean() >= 0.75).all()
    vendor = read.wells[(read.wells["type"] == "U") & read.wells["value"].notna() & (read.wells["side"] == "")]
    both = vendor.merge(assay.samples, on=["sample", "analyte"], suffixes=("_vendor", ""))
    both = both[(both["censor"] == 0) & both["value"].notna()]
    ratio = both.assign(ratio=both["value"] / both["value_vendor"]).groupby("analyte")["ratio"].median()
    off = set(ratio[(ratio - 1).abs() > 0.10].index)
    assert off == {"HGF", "IL1RA", "IL2", "MIG"}


def test_a_kit_of_other_analytes(tmp_path: Path) -> None:
    kit = read_kit(write(tmp_path, "analyte,level,concentration\nIL-60,1,10\n", "kit.csv"))
    with pytest.raises(TableError, match="did you mean"):
        with_kit(plate({"P1": (1.0, 1.0)}), kit)
