"""Random Gating-ML 2.0 files with every element and attribute of the schema, and events to gate with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from lxml import etree

ISAC = "http://www.isac-net.org/std/Gating-ML/v2.0/"
G, T, D = f"{ISAC}gating", f"{ISAC}transformations", f"{ISAC}datatypes"
DETECTORS = ("A", "B", "C", "D")


def _columns() -> dict[str, np.ndarray]:
    """Small whole numbers that sit on edges, wide positive and negative values, and one channel of odd numbers."""
    rng = np.random.default_rng(7)
    n = 500
    columns = {}
    for name in DETECTORS:
        values = np.where(rng.random(n) < 0.5, rng.integers(-3, 9, n), np.exp(rng.normal(4, 2.5, n)))
        columns[name] = np.where(rng.random(n) < 0.1, -values, values)
    odd = rng.choice([np.inf, -np.inf, np.nan, 0.0, -0.0, 5e-324, 1e300, -1e300, 1.0, 2.0, 100.0], n)
    return {**columns, "X / Y": odd}


COLUMNS = _columns()
SPILL = (["C", "A", "B"], np.array([[1.0, 0.25, 0.125], [0.0, 1.0, 0.5], [0.25, 0.0, 1.0]]))

whole = st.integers(-3, 8).map(float)
on_scale = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(-0.4, 1.4, allow_subnormal=False))
value = st.one_of(whole, on_scale, st.floats(-50, 3000, allow_subnormal=False))
names = st.text(st.sampled_from("abXY +-.:_äπ01()"), min_size=1, max_size=6).map(str.strip).filter(bool)


def q(space: str, name: str) -> str:
    return f"{{{space}}}{name}"


@dataclass
class Draft:
    """What a file defines so far."""

    draw: st.DrawFn
    root: etree._Element
    scales: list[str] = field(default_factory=list)
    #: Ratios with the matrix that their names belong to, or none for channels.
    ratios: list[tuple[str, str | None]] = field(default_factory=list)
    matrices: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    gates: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=lambda: {"FCS", "uncompensated"})

    def one(self, kind: st.SearchStrategy[float]) -> float:
        return self.draw(kind)

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(1, one_in)) == 1

    def id(self) -> str:
        name = self.draw(names.filter(lambda found: found not in self.taken))
        self.taken.add(name)
        return name

    def put(self, parent: etree._Element, space: str, tag: str, **attributes: object) -> etree._Element:
        element = etree.SubElement(parent, q(space, tag))
        for key, found in attributes.items():
            if found is not None:
                where, _, name = key.partition("_")
                text = repr(found) if isinstance(found, float) else str(found)
                element.set(q({"g": G, "t": T, "d": D}[where], name.replace("__", "-")), text.replace("inf", "INF"))
        if self.chance(8):
            self.foreign(element)
        return element

    def custom(self, parent: etree._Element, one_in: int = 4) -> None:
        if self.chance(one_in):
            block = etree.SubElement(parent, q(D, "custom_info"))
            block.text = self.draw(st.sampled_from(["", "words", "1 < 2"]))
            other = etree.SubElement(block, "{urn:other}gate", {"id": "g", "parent_id": "nothing"})
            # a gate of another program is none of the file
            self.put(other, G, "RectangleGate", g_id="hidden")

    def foreign(self, element: etree._Element) -> None:
        """What other programs write beside the standard: attributes, and elements that it does not know."""
        element.set("{urn:other}min", "7")
        element.set("{urn:other}parent_id", "nowhere")
        element.append(etree.Comment(" a remark "))
        if etree.QName(element).localname not in ("value", "fcs-dimension"):
            etree.SubElement(element, "{urn:other}dimension", {"min": "3"}).text = "7"

    def bounds(self, cells: list[float]) -> dict[str, object]:
        low, high = sorted(self.draw(st.lists(st.sampled_from(cells), min_size=2, max_size=2)))
        return {
            "t_boundMin": self.draw(st.sampled_from([None, None, low, -np.inf])),
            "t_boundMax": self.draw(st.sampled_from([None, None, high, np.inf])),
        }


def _scale(d: Draft) -> None:
    kind = d.draw(st.sampled_from(["flin", "flog", "fasinh", "logicle", "hyperlog"]))
    top, decades = d.one(st.floats(1, 1e4)), d.one(st.floats(0.5, 7))
    width = d.one(st.one_of(st.just(0.0), st.just(decades / 2), st.floats(0, decades / 2)))
    if kind == "hyperlog":
        width = max(width, 0.05 * decades)
    extra = d.one(st.one_of(st.just(0.0), st.floats(-width, decades - 2 * width)))
    keys: dict[str, dict[str, float]] = {
        "flin": {"t_T": top, "t_A": d.one(st.one_of(st.just(0.0), st.floats(0, top)))},
        "flog": {"t_T": top, "t_M": decades},
        "fasinh": {"t_T": top, "t_M": decades, "t_A": d.one(st.one_of(st.just(0.0), st.floats(0, decades)))},
        "logicle": {"t_T": top, "t_W": width, "t_M": decades, "t_A": extra},
        "hyperlog": {"t_T": top, "t_W": width, "t_M": decades, "t_A": extra},
    }
    d.scales.append(d.id())
    outer = d.put(d.root, T, "transformation", t_id=d.scales[-1], **d.bounds([-0.5, 0.0, 0.25, 0.5, 1.0]))
    d.custom(d.put(outer, T, kind, **keys[kind]))


def _ratio(d: Draft) -> None:
    matrix = d.draw(st.sampled_from([None, None, *d.matrices]))
    known: tuple[str, ...] = (*DETECTORS, "X / Y") if matrix is None else d.matrices[matrix][0]
    d.ratios.append((d.id(), matrix))
    outer = d.put(d.root, T, "transformation", t_id=d.ratios[-1][0], **d.bounds([-1.0, 0.25, 0.5, 2.0, 3.0]))
    if (outer.get(q(T, "boundMax")) or "1").startswith("-"):
        del outer.attrib[q(T, "boundMax")]
    numbers = {"t_A": d.one(st.sampled_from([1.0, 2.0, -0.5])), "t_B": d.one(whole), "t_C": d.one(whole)}
    inner = d.put(outer, T, "fratio", **numbers)
    d.custom(inner)
    for _ in range(2):
        d.put(inner, D, "fcs-dimension", d_name=d.draw(st.sampled_from(known)))


def _matrix(d: Draft) -> None:
    detectors = tuple(d.draw(st.permutations(DETECTORS))[: d.draw(st.integers(2, 4))])
    n = d.draw(st.integers(2, len(detectors)))
    same = n == len(detectors) and d.chance(3)
    dyes = detectors if same else tuple(d.id() for _ in range(n))
    cells = np.eye(n, len(detectors)) + np.array(
        d.draw(st.lists(st.floats(0, 0.3), min_size=n * len(detectors), max_size=n * len(detectors)))
    ).reshape(n, -1)
    inverted = d.draw(st.sampled_from([None, "false", "0", "true", "1"]))
    if inverted in ("true", "1"):
        cells = np.linalg.pinv(cells)
    name = d.id()
    element = d.put(d.root, T, "spectrumMatrix", t_id=name, t_matrix__inverted__already=inverted)
    d.custom(element)
    for tag, labels in (("fluorochromes", dyes), ("detectors", detectors)):
        part = d.put(element, T, tag)
        for label in labels:
            d.put(part, D, "fcs-dimension", d_name=label)
    for row in cells:
        part = d.put(element, T, "spectrum")
        for cell in row:
            d.put(part, T, "coefficient", t_value=float(cell))
    d.matrices[name] = (dyes, detectors)


def _dimension(d: Draft, gate: etree._Element, tag: str = "dimension", **attributes: object) -> etree._Element:
    scale = d.draw(st.sampled_from([None, *d.scales]))
    if d.ratios and d.chance(4):
        ratio, matrix = d.draw(st.sampled_from(d.ratios))
        reference = matrix or d.draw(st.sampled_from(["uncompensated", "FCS", *d.matrices]))
        inner, named = "new-dimension", {"d_transformation__ref": ratio}
    else:
        reference = d.draw(st.sampled_from(["uncompensated", "uncompensated", "FCS", *d.matrices]))
        known: tuple[str, ...] = (*DETECTORS, "X / Y")
        if reference in d.matrices:
            known = d.matrices[reference][0] + (d.matrices[reference][1] if d.chance(4) else ())
        inner, named = "fcs-dimension", {"d_name": d.draw(st.sampled_from(known))}
    element = d.put(gate, G, tag, g_compensation__ref=reference, g_transformation__ref=scale, **attributes)
    d.put(element, D, inner, **named)
    return element


def _gate(d: Draft, kind: str) -> etree._Element:
    parent = d.draw(st.sampled_from([None, *d.gates]))
    gate = d.put(d.root, G, kind, g_id=d.id(), g_parent_id=parent)
    d.custom(gate)
    return gate


def _rectangle(d: Draft) -> None:
    gate = _gate(d, "RectangleGate")
    for _ in range(d.draw(st.integers(1, 5))):
        low, high = sorted([d.one(value), d.one(value)])
        low, high = d.draw(st.sampled_from([(low, high), (low, None), (None, high), (low, np.inf), (None, None)]))
        _dimension(d, gate, g_min=low, g_max=high)
    d.gates.append(str(gate.get(q(G, "id"))))


def _numbers(d: Draft, parent: etree._Element, tag: str, cells: list[float]) -> None:
    for cell in cells:
        d.put(parent, G, tag, d_value=cell)


def _polygon(d: Draft) -> None:
    gate = _gate(d, "PolygonGate")
    for _ in range(2):
        _dimension(d, gate)
    cells = d.draw(st.sampled_from([whole, on_scale, value]))
    corners = d.draw(st.lists(st.tuples(cells, cells), min_size=3, max_size=8))
    for corner in [*corners, *(corners[:1] if d.chance(4) else [])]:
        _numbers(d, d.put(gate, G, "vertex"), "coordinate", list(corner))
    d.gates.append(str(gate.get(q(G, "id"))))


def _ellipsoid(d: Draft) -> None:
    gate = _gate(d, "EllipsoidGate")
    n = d.draw(st.integers(2, 4))
    for _ in range(n):
        _dimension(d, gate)
    size = d.one(st.sampled_from([1e-3, 1.0, 100.0]))
    root = np.array(d.draw(st.lists(st.integers(-4, 4), min_size=n * n, max_size=n * n)), float).reshape(n, n)
    form = d.draw(st.sampled_from(["round", "any", "tilted", "odd"]))
    covariance = size * np.eye(n)
    if form == "any":
        covariance = size * (root @ root.T / 4 + 0.25 * np.eye(n))
    elif form == "tilted":
        covariance = size * (np.diag(4.0 ** np.arange(n)) + 0.5 * (1 - np.eye(n)))
    elif form == "odd":  # neither symmetric nor positive, but invertible
        covariance = size * (np.triu(root, 1) + np.diag(np.where(np.diag(root) < 0, -1.0, 2.0)))
    cells = d.draw(st.sampled_from([whole, on_scale]))
    _numbers(d, d.put(gate, G, "mean"), "coordinate", [d.one(cells) for _ in range(n)])
    matrix = d.put(gate, G, "covarianceMatrix")
    for row in covariance:
        _numbers(d, d.put(matrix, G, "row"), "entry", [float(cell) for cell in row])
    d.put(gate, G, "distanceSquare", d_value=d.one(st.sampled_from([0.0, 0.5, 1.0, 2.25, 9.0])))
    d.gates.append(str(gate.get(q(G, "id"))))


def _quadrants(d: Draft) -> None:
    gate = _gate(d, "QuadrantGate")
    dividers: dict[str, list[float]] = {}
    for _ in range(d.draw(st.integers(1, 4))):
        key = d.id()
        cells = d.draw(st.sampled_from([whole, on_scale]))
        dividers[key] = d.draw(st.lists(cells, min_size=1, max_size=4))
        divider = _dimension(d, gate, "divider", g_id=key)
        for cell in dividers[key]:
            d.put(divider, G, "value").text = repr(cell)
    found = []
    for _ in range(d.draw(st.integers(1, 5))):
        found.append(d.id())
        quadrant = d.put(gate, G, "Quadrant", g_id=found[-1])
        for key in d.draw(st.lists(st.sampled_from(list(dividers)), min_size=1, unique=True)):
            place = d.one(st.one_of(st.sampled_from(dividers[key]), value))
            d.put(quadrant, G, "position", g_divider_ref=key, g_location=place)
    d.gates += found


def _boolean(d: Draft) -> None:
    if len(d.gates) < 2:
        return
    gate = _gate(d, "BooleanGate")
    kind = d.draw(st.sampled_from(["and", "or", "not"]))
    operation = d.put(gate, G, kind)
    for _ in range(1 if kind == "not" else d.draw(st.integers(2, 4))):
        flip = d.draw(st.sampled_from([None, "true", "false", "1", "0"]))
        d.put(operation, G, "gateReference", g_ref=d.draw(st.sampled_from(d.gates)), **{"g_use__as__complement": flip})
    d.gates.append(str(gate.get(q(G, "id"))))


_GATES: tuple[Callable[[Draft], None], ...] = (_rectangle, _polygon, _ellipsoid, _quadrants, _boolean)
_PREFIXES = (
    {"gating": G, "transforms": T, "data-type": D},
    {None: G, "g": G, "t": T, "d": D},
    {"a": G, None: T, "x": T, "b": D},
)


@st.composite
def document(draw: st.DrawFn) -> bytes:
    """Return a file whose definitions come in any order."""
    root = etree.Element(q(G, "Gating-ML"), nsmap=draw(st.sampled_from(_PREFIXES)))
    d = Draft(draw, root)
    for make, most in ((_scale, 3), (_matrix, 2), (_ratio, 2)):
        for _ in range(draw(st.integers(0, most))):
            make(d)
    d.custom(root)
    for _ in range(draw(st.integers(1, 6))):
        draw(st.sampled_from(_GATES))(d)
    if not d.gates:
        _rectangle(d)
    root[:] = draw(st.permutations(list(root)))
    return etree.tostring(root, xml_declaration=True, encoding=draw(st.sampled_from(["UTF-8", "UTF-16"])))
