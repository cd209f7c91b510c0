"""Beads of a kit in FCS files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from il2cyto.beads import (
    Bead,
    BeadEvents,
    BeadPanel,
    assign_beads,
    bead_picture,
    bead_plate,
    find_beads,
    learn_beads,
    read_bead_panel,
    read_events,
)
from il2cyto.errors import GateError, PanelError, ParameterError
from il2cyto.report.beads import bead_svgs
from il2cyto.serum import quantify

CHANNELS = {"forward": "FSC-A", "side": "SSC-A", "dye": "FL6-H", "reporter": "FL2-H"}
GROWTH_FACTORS = """group,bead,analyte,top,dilution,unit
A,A4,Angiopoietin-2,50000,4,pg/mL
A,A5,EGF,10000,4,pg/mL
A,A6,EPO,50000,4,pg/mL
A,A7,FGF-basic,50000,4,pg/mL
A,A8,G-CSF,50000,4,pg/mL
A,A10,GM-CSF,50000,4,pg/mL
B,B2,HGF,50000,4,pg/mL
B,B3,M-CSF,10000,4,pg/mL
B,B4,PDGF-AA,50000,4,pg/mL
B,B5,PDGF-BB,50000,4,pg/mL
B,B6,SCF,10000,4,pg/mL
B,B7,TGF-a,50000,4,pg/mL
B,B9,VEGF,50000,4,pg/mL
"""


def events(n: int = 300, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Two sizes, three and two beads, and debris; the bead of each event last."""
    rng = np.random.default_rng(seed)
    parts = []
    for bead, (size, dye) in enumerate(((5.4, 3.0), (5.4, 3.6), (5.4, 4.2), (5.7, 3.3), (5.7, 4.0))):
        parts.append(
            (rng.normal(size, 0.02, n), rng.normal(size + 0.1, 0.03, n), rng.normal(dye, 0.05, n), np.full(n, bead))
        )
    parts.append((rng.uniform(4, 5, n), rng.uniform(4, 5, n), rng.uniform(2, 5, n), np.full(n, -1)))
    forward, side, dye, bead = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return 10**forward, 10**side, 10**dye, bead


def test_planted_beads_are_found() -> None:
    forward, side, dye, bead = events()
    gates = find_beads(forward, side, dye, [3, 2])
    found = assign_beads(gates, forward, side, dye)
    assert (found[bead == -1] == -1).mean() > 0.99
    assert (found[bead >= 0] == bead[bead >= 0]).mean() > 0.96
    np.testing.assert_allclose(np.concatenate(gates.medians), [3.0, 3.6, 4.2, 3.3, 4.0], atol=0.02)


def test_the_picture_shows_events_and_beads_of_every_file() -> None:
    forward, side, dye, _ = events()
    gates = find_beads(forward, side, dye, [3, 2])
    panel = BeadPanel(tuple(Bead("A" if i < 3 else "B", f"{i}", f"IL-{i}<", 1.0, 2.0, "pg/mL") for i in range(5)))
    reporter = np.where(np.arange(dye.size) % 10 == 0, -1.0, 100.0)
    files = [BeadEvents(name, forward, side, dye, reporter) for name in ("a.fcs", "b.fcs")]
    picture = bead_picture(files, gates, panel, n=1000)
    assert picture.bead.size + picture.n_without == 1000
    assert 60 < picture.n_without < 140
    assert (np.bincount(picture.bead[picture.bead >= 0], minlength=5) > 100).all()
    svgs = bead_svgs(picture)
    assert [title for title, _ in svgs] == ["Sizes", "Beads of group 1", "Beads of group 2"]
    assert [svg.count("<text transform") - 1 for _, svg in svgs] == [0, 3, 2]
    # one dot an event, each once; names of analytes are text
    dots = sum(svg.count("h0") for _, svg in svgs[1:])
    assert 0.95 * (picture.bead >= 0).sum() < dots <= (picture.bead >= 0).sum()
    assert "IL-4&lt;" in svgs[2][1]
    assert "IL-4<" not in svgs[2][1]


def test_another_kit_is_an_error() -> None:
    forward, side, dye, _ = events()
    with pytest.raises(GateError, match="3 populations by the classification dye; the kit has 4 beads there"):
        find_beads(forward, side, dye, [4, 2])
    with pytest.raises(GateError, match="need at least"):
        find_beads(forward[:20], side[:20], dye[:20], [3, 2])


def test_panels_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "panel.csv"
    for text, message in (
        ("bead,analyte\nA4,IL-6\nA4,TNF\n", "bead A4 stands twice"),
        ("bead,analit\nA4,IL-6\n", "did you mean"),
        ("bead,analyte,top\nA4,IL-6,many\n", "is no number above 0"),
    ):
        path.write_text(text)
        with pytest.raises(PanelError, match=message):
            read_bead_panel(path)


def test_legendplex_growth_factors(reference: Path, tmp_path: Path) -> None:
    """13 of 13 analytes in all 16 standard files, with their signals."""
    folder = reference / "cytokine-assays" / "raw_fcs"
    panel_file = tmp_path / "panel.csv"
    panel_file.write_text(GROWTH_FACTORS)
    panel = read_bead_panel(panel_file)
    files = [read_events(path, CHANNELS) for path in sorted(folder.glob("*.fcs"))]
    gates = learn_beads(files, panel)
    layout = {}
    for one in files:
        kind, level, _ = re.match(r"K3-([CS])(\d)-(\d)", one.name).groups()
        layout[one.name] = (f"{kind}{level}", "S" if kind == "C" else "U", level if kind == "C" else "")
    wells = bead_plate(files, gates, panel, plate="K3", layout=layout).wells
    standards = wells[wells["type"].isin(["S", "B"])]
    assert standards.groupby("well")["analyte"].nunique().tolist() == [13] * 16
    assert wells["bead_count"].min() >= 250
    assert standards.groupby("level")["expected"].max().tolist() == pytest.approx(
        [0.0, *(50000 / 4.0**step for step in range(6, -1, -1))]
    )
    signal = standards.groupby(["analyte", "level"])["signal"].mean().unstack()
    assert (signal["7"] > 90 * signal["0"]).all()
    assay = quantify([bead_plate(files, gates, panel, plate="K3", layout=layout)])
    assert assay.curves["n_levels"].eq(7).all()
    # the standards of this plate were diluted unevenly, which no smooth curve follows: it is told, not smoothed over
    assert [re.match(r"standard (\d) .* (high|low), (\d+) of 13", note).groups() for note in assay.notes] == [
        ("2", "low", "13"), ("3", "high", "13"), ("4", "low", "13"), ("5", "high", "13"),
    ]  # fmt: skip
    assert (assay.curves["status"] == "accepted").sum() == 2
    with pytest.raises(ParameterError, match=r"has no channel 'FL6H' \(dye\)"):
        read_events(folder / "K3-C0-1.fcs", {**CHANNELS, "dye": "FL6H"})
