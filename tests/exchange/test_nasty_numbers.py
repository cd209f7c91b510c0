"""Any text where a number or a name should stand: one clear error, or a reason, and never another exception."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import diva_files as diva
import flowjo9_files as mac
import flowjo_files as fj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from il2cyto.errors import Il2CytoError, StrategyError
from il2cyto.exchange import read_strategies
from il2cyto.fcs import read_fcs

NASTY = [
    "nan", "inf", "-inf", "1e400", "1e-320", "", "x", "-1", "0", "1e308", "-1e308", "٣", "9" * 30, "1_0", "true", "<",
    "/", "//", "\\", "All Events", "root", "not A", "Time", "é", "-0.0",
]  # fmt: skip
PLACE = re.compile(r'(?<==")[^"<>]*(?=")|(?<=>)[^<>]+(?=</)')


def experiment(folder: Path) -> Path:
    on = (diva.biex(162), diva.LOG)
    gates = diva.events() + diva.rectangle("A", "FSC-A", "SSC-A", (1e4, 1e4), (2e5, 2e5))
    gates += diva.polygon("A\\B", "FITC-A", "PE-A", [(500.0, 1.0), (3600.0, 2.0), (3000.0, 5.0)], on=on)
    gates += diva.interval("A\\C", "PE-A", 1.0, 4.0, diva.LOG)
    gates += diva.gate("D", "AND_Classifier", "", inputs=[f"{diva.ALL}\\A", f"{diva.ALL}\\A\\C"])
    return diva.write(folder, diva.specimen(diva.tube(gates)))


def wsp(folder: Path) -> Path:
    gate = fj.rectangle(fj.dimension("FSC-A", 150, 650), fj.dimension("SSC-A", 100))
    edge = [(900, 500), (1100, 500), (1000, 450), (1000, 550)]
    tree = fj.population("A", gate, ids='gating:id="ID1"')
    tree += fj.population("B", fj.polygon("Comp-FITC-A", "PE-A", [(-50, 0), (1e4, 10), (1e3, 1e5)]))
    tree += fj.population("E", fj.ellipse("FITC-A", "PE-A", [(110, 50), (140, 50)], [(100, 50), (150, 50), *edge[:2]]))
    tree += fj.population("Q", fj.curly(fj.dimension("FITC-A", 100), fj.dimension("PE-A", None, 200)))
    tree += fj.combination("AndNode", "C", ["A", "B"]) + fj.combination("NotNode", "N", ["A"])
    spill = fj.matrix({"FITC-A": {"FITC-A": 1.0, "PE-A": 0.1}, "PE-A": {"FITC-A": 0.2, "PE-A": 1.0}})
    return fj.write(folder, fj.sample(tree, compensation=spill))


def workspace(folder: Path) -> Path:
    values = mac.biex_values()
    corners = [(values[x], values[y]) for x, y in ((600, 500), (3600, 900), (3100, 3800))]
    tree = mac.population("A", mac.rectangle("FSC-A", "SSC-A", (2e4, 1e4), (2e5, 2e5)))
    tree += mac.population("B", mac.shape("Polygon", "<FITC-A>", "<PE-A>", corners))
    tree += mac.population("C", mac.combination("G0 & !G1", "A", "/B"))
    points = [(4e4, 1e5), (1e5, 6e4), (1.6e5, 1e5), (1e5, 1.4e5)]
    tree += mac.population("E", mac.shape("Ellipse", "FSC-A", "SSC-A", points))
    return mac.write(folder, mac.sample(tree), groups=mac.group("All", 1))


@pytest.mark.parametrize("kind", ["diva", "mac", "wsp"])
@settings(max_examples=60, deadline=None)
@given(where=st.integers(0, 10_000), text=st.sampled_from(NASTY) | st.text(max_size=5))
def test_any_text_anywhere(tmp_path_factory: pytest.TempPathFactory, kind: str, where: int, text: str) -> None:
    folder = tmp_path_factory.mktemp("nasty")
    path = {"diva": experiment, "mac": workspace, "wsp": wsp}[kind](folder)
    encoding = "latin-1" if kind == "mac" else "utf-8"
    whole = path.read_text(encoding=encoding)
    places = list(PLACE.finditer(whole))
    place = places[where % len(places)]
    safe = text.encode("ascii", "xmlcharrefreplace").decode() if "<" not in text else "&lt;"
    path.write_text(whole[: place.start()] + safe + whole[place.end() :], encoding=encoding)
    module = diva if kind == "diva" else mac
    file = fj.fcs(folder) if kind == "wsp" else module.fcs(folder, module.make_events(50))
    message = path.name
    try:
        strategies = read_strategies(path)
    except StrategyError as error:
        message = str(error)
    else:
        if "a.fcs" in strategies.by_file:
            with contextlib.suppress(Il2CytoError):
                strategies.for_file("a.fcs").apply(read_fcs(file))
    assert path.name in message
