"""Gating-ML 2.0 in the plainest NumPy, written from the text of the standard: nothing of the package is used here.

Every event is transformed and every gate asked of every event. Beside each answer stands whether it is sure: an event
that lies on an edge within the rounding of a computed coordinate is not, one that sits on an edge of raw values is.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from lxml import etree

ISAC = "http://www.isac-net.org/std/Gating-ML/v2.0/"
G, T, D = f"{ISAC}gating", f"{ISAC}transformations", f"{ISAC}datatypes"
GATES = ("RectangleGate", "PolygonGate", "EllipsoidGate", "BooleanGate", "QuadrantGate")
LN10 = np.log(10.0)
Array = np.ndarray
Answer = tuple[Array, Array]
#: Values with their rounding.
Known = tuple[Array, Array]


def evaluate(path: Path, columns: dict[str, Array], spill: tuple[list[str], Array] | None = None) -> dict[str, Answer]:
    """Members of every gate and quadrant, and where that is sure, by id."""
    with np.errstate(all="ignore"):  # what is undefined is meant to be
        return _Document(etree.parse(path).getroot(), columns, spill).answers()


def _get(element: etree._Element, name: str) -> str | None:
    return next((str(element.get(key)) for key in (f"{{{s}}}{name}" for s in (G, T, D)) if key in element.attrib), None)


def _float(element: etree._Element, name: str, default: float = np.nan) -> float:
    text = _get(element, name)
    return default if text is None else float(text.replace("INF", "inf"))


def _all(element: etree._Element, space: str, name: str) -> list[etree._Element]:
    return element.findall(f"{{{space}}}{name}")


class _Document:
    def __init__(self, root: etree._Element, columns: dict[str, Array], spill: tuple[list[str], Array] | None) -> None:
        self.columns = {name: np.asarray(values, dtype=float) for name, values in columns.items()}
        self.n = len(next(iter(self.columns.values())))
        self.spill = spill
        self.scales = {str(_get(e, "id")): e for e in _all(root, T, "transformation")}
        self.matrices = {str(_get(e, "id")): e for e in _all(root, T, "spectrumMatrix")}
        self.gates: dict[str, etree._Element] = {}
        for element in (e for name in GATES for e in _all(root, G, name)):
            named = _all(element, G, "Quadrant") if etree.QName(element).localname == "QuadrantGate" else [element]
            self.gates |= {str(_get(e, "id")): e for e in named}
        self.known: dict[str, Answer] = {}

    def answers(self) -> dict[str, Answer]:
        return {name: self.population(name) for name in self.gates}

    def population(self, name: str) -> Answer:
        """Members of a gate within its parents."""
        if name not in self.known:
            element = self.gates[name]
            kind = etree.QName(element).localname
            inside, sure = getattr(self, kind)(element)
            gate = element.getparent() if kind == "Quadrant" else element
            parent = _get(gate, "parent_id")
            if parent is not None:
                above, above_sure = self.population(parent)
                sure = (sure & above_sure) | (above_sure & ~above) | (sure & ~inside)
                inside = inside & above
            self.known[name] = inside, sure
        return self.known[name]

    # gates

    def RectangleGate(self, gate: etree._Element) -> Answer:  # called as in the standard
        inside, sure = np.ones(self.n, bool), np.ones(self.n, bool)
        for part in _all(gate, G, "dimension"):
            x, slack = self.dimension(part)
            found = _between(x, slack, _float(part, "min", -np.inf), _float(part, "max", np.inf))
            inside, sure = inside & found[0], sure & found[1]
        return inside, sure

    def Quadrant(self, quadrant: etree._Element) -> Answer:
        dividers = {_get(e, "id"): e for e in _all(quadrant.getparent(), G, "divider")}
        inside, sure = np.ones(self.n, bool), np.ones(self.n, bool)
        for position in _all(quadrant, G, "position"):
            divider = dividers[_get(position, "divider_ref")]
            values = sorted(float(str(e.text)) for e in _all(divider, G, "value"))
            place = _float(position, "location")
            low = max([v for v in values if v <= place], default=-np.inf)
            high = min([v for v in values if v > place], default=np.inf)
            found = _between(*self.dimension(divider), low, high)
            inside, sure = inside & found[0], sure & found[1]
        return inside, sure

    def PolygonGate(self, gate: etree._Element) -> Answer:
        (x, dx), (y, dy) = (self.dimension(part) for part in _all(gate, G, "dimension"))
        corners = [[_float(c, "value") for c in _all(vertex, G, "coordinate")] for vertex in _all(gate, G, "vertex")]
        inside = _in_polygon(x, y, corners)
        sure = np.isfinite(dx) & np.isfinite(dy)
        for sx, sy in itertools.product((-1, 1), repeat=2):
            sure &= _in_polygon(x + sx * dx, y + sy * dy, corners) == inside
        return inside & _defined(x) & _defined(y), sure

    def EllipsoidGate(self, gate: etree._Element) -> Answer:
        known = [self.dimension(part) for part in _all(gate, G, "dimension")]
        mean = np.array([_float(c, "value") for c in _all(_all(gate, G, "mean")[0], G, "coordinate")])
        rows = _all(_all(gate, G, "covarianceMatrix")[0], G, "row")
        covariance = np.array([[_float(c, "value") for c in _all(row, G, "entry")] for row in rows])
        bound = _float(_all(gate, G, "distanceSquare")[0], "value")
        x, slack = np.array([v for v, _ in known]), np.array([s for _, s in known])
        inverse = np.linalg.inv(covariance)
        exact = np.array_equal(covariance, np.diag(np.diag(covariance)))
        noise = 0.0 if exact else 1e-12 * np.linalg.cond(covariance)

        def form(values: Array) -> tuple[Array, Array]:
            off = values - mean[:, None]
            terms = off[:, None, :] * inverse[:, :, None] * off[None, :, :]
            return terms.sum(axis=(0, 1)), np.abs(terms).sum(axis=(0, 1))

        total, size = form(x)
        inside = total <= bound
        clear = (np.abs(total - bound) > noise * (size + bound)) | ~(size < np.inf)
        sure = np.isfinite(slack).all(axis=0) & clear
        symmetric = np.array_equal(covariance, covariance.T) and bool((np.linalg.eigvalsh(covariance) > 0).all())
        for signs in itertools.product((-1, 1), repeat=len(known)):
            sure &= (form(x + np.array(signs)[:, None] * slack)[0] <= bound) == inside
        if not symmetric:
            sure &= np.isfinite(x).all(axis=0)
        defined = np.logical_and.reduce([_defined(v) for v in x])
        return inside & defined, sure | (np.isfinite(slack).all(axis=0) & ~defined)

    def BooleanGate(self, gate: etree._Element) -> Answer:
        (operation,) = [e for name in ("and", "or", "not") for e in _all(gate, G, name)]
        parts = []
        for reference in _all(operation, G, "gateReference"):
            inside, sure = self.population(str(_get(reference, "ref")))
            flip = (_get(reference, "use-as-complement") or "false") in ("true", "1")
            parts.append((inside ^ flip, sure))
        inside = {"and": np.logical_and, "or": np.logical_or, "not": lambda first: ~first}
        kind = etree.QName(operation).localname
        members = [p[0] for p in parts]
        found = ~members[0] if kind == "not" else inside[kind].reduce(members)  # type: ignore[attr-defined]  # ufuncs
        return found, np.logical_and.reduce([p[1] for p in parts])

    # coordinates

    def dimension(self, element: etree._Element) -> Known:
        matrix = str(_get(element, "compensation-ref"))
        scale = _get(element, "transformation-ref")
        ratio = _all(element, D, "new-dimension")
        if ratio:
            x, d = self.ratio(self.scales[str(_get(ratio[0], "transformation-ref"))], matrix)
        else:
            x, d = self.channel(str(_get(_all(element, D, "fcs-dimension")[0], "name")), matrix)
        if scale is None:
            return x, _settled(x, d)
        return _spread(lambda v: _scaled(self.scales[scale], v), (x, d), _bounds(self.scales[scale]))

    def ratio(self, element: etree._Element, matrix: str) -> Known:
        kind = _all(element, T, "fratio")[0]
        a, b, c = (_float(kind, key) for key in "ABC")
        names = [str(_get(e, "name")) for e in _all(kind, D, "fcs-dimension")]
        (x, dx), (y, dy) = (self.channel(name, matrix) for name in names)
        bounds = _bounds(element)

        def divide(above: Array, below: Array) -> Array:
            above, below = a * (above - b), below - c
            found = np.where(below == 0, np.where(above == 0, np.nan, np.sign(above) * np.inf), above / below)
            return _bounded(found, bounds)

        found = divide(x, y)
        others = [divide(x + i * dx, y + j * dy) for i, j in itertools.product((-1, 1), repeat=2)]
        # a divisor that is zero within its rounding tells nothing
        return found, np.where((np.abs(y - c) <= dy) & (dy > 0), np.inf, _slack(found, others, bounds))

    def channel(self, name: str, matrix: str) -> Known:
        """Values of a channel or fluorochrome, compensated as the dimension says."""
        nothing = np.zeros(self.n)
        if matrix == "uncompensated" or (matrix == "FCS" and (self.spill is None or name not in self.spill[0])):
            return self.columns[name], nothing
        if matrix == "FCS":
            assert self.spill is not None
            detectors = dyes = list(self.spill[0])
            cells, inverted = np.asarray(self.spill[1]), False
        else:
            element = self.matrices[matrix]
            dyes, detectors = (
                [str(_get(e, "name")) for e in _all(_all(element, T, kind)[0], D, "fcs-dimension")]
                for kind in ("fluorochromes", "detectors")
            )
            rows = _all(element, T, "spectrum")
            cells = np.array([[_float(c, "value") for c in _all(row, T, "coefficient")] for row in rows])
            inverted = (_get(element, "matrix-inverted-already") or "false") in ("true", "1")
        if name not in dyes and (name not in detectors or len(dyes) != len(detectors)):
            return self.columns[name], nothing
        k = dyes.index(name) if name in dyes else detectors.index(name)
        seen = np.column_stack([self.columns[detector] for detector in detectors])
        solved = seen @ cells if inverted else np.linalg.lstsq(cells.T, seen.T, rcond=None)[0].T
        return solved[:, k], 1e-11 * np.abs(seen).sum(axis=1)


def _between(x: Array, slack: Array, low: float, high: float) -> Answer:
    # a side without a limit is open, for what is infinite too
    inside = (x >= low) & ((x < high) | (high == np.inf)) & _defined(x)
    sure = np.isfinite(slack)
    for edge in (low, high):
        if np.isfinite(edge):
            sure &= ~((np.abs(x - edge) <= slack) & (slack > 0))
    return inside, sure


def _defined(x: Array) -> Array:
    return x > -np.inf


def _in_polygon(x: Array, y: Array, corners: list[list[float]]) -> Array:
    """Even–odd rule: edges to the left of the point, lower ends and the edge itself among them."""
    crossed = np.zeros(len(x), int)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        if ay == by:
            continue
        if ay > by:
            ax, ay, bx, by = bx, by, ax, ay
        crossed += (ay <= y) & (y < by) & ((x - ax) * (by - ay) >= (bx - ax) * (y - ay))
    return crossed % 2 == 1


def _bounds(element: etree._Element) -> tuple[float, float]:
    return _float(element, "boundMin", -np.inf), _float(element, "boundMax", np.inf)


def _bounded(y: Array, bounds: tuple[float, float]) -> Array:
    return np.where(y < bounds[0], bounds[0], np.where(y > bounds[1], bounds[1], y))


def _settled(x: Array, slack: Array) -> Array:
    """Raw values are exact; what is on a bound or infinite has no rounding."""
    return np.where(slack > 0, np.maximum(slack, 1e-12 * np.abs(x)), 0.0)


def _slack(y: Array, others: list[Array], bounds: tuple[float, float]) -> Array:
    same = np.logical_and.reduce([(o == y) | (np.isnan(o) & np.isnan(y)) for o in others])
    spread = np.max([np.abs(o - y) for o in others], axis=0) + 1e-9 * np.maximum(1.0, np.abs(y))
    exact = same & ((y == bounds[0]) | (y == bounds[1]) | ~np.isfinite(y))
    # where a neighbour is defined and the value is not, nothing is known
    return np.where(exact, 0.0, np.where(np.isfinite(spread), spread, np.inf))


def _spread(function: object, known: Known, bounds: tuple[float, float]) -> Known:
    x, d = known
    call = function
    assert callable(call)
    y = call(x)
    far = np.where(np.isfinite(d), d, 0.0)
    found = _slack(y, [call(x - far), call(x + far)], bounds)
    return y, np.where(np.isfinite(d), found, np.inf)


def _scaled(element: etree._Element, x: Array) -> Array:
    (kind,) = [e for e in element if isinstance(e.tag, str) and etree.QName(e).namespace == T]
    name = etree.QName(kind).localname
    top, width, decades, extra = (_float(kind, key) for key in "TWMA")
    if name == "flin":
        y = (x + extra) / (top + extra)
    elif name == "flog":
        y = np.log10(x / top) / decades + 1
    elif name == "fasinh":
        y = (np.arcsinh(x * np.sinh(decades * LN10) / top) + extra * LN10) / ((decades + extra) * LN10)
    else:
        y = _root(name, x, top, width, decades, extra)
    return _bounded(y, _bounds(element))


def _root(name: str, x: Array, top: float, width: float, decades: float, extra: float) -> Array:
    """Logicle and hyperlog as roots of the equations that define them, by halving."""
    w, x2 = width / (decades + extra), extra / (decades + extra)
    x1, x0 = x2 + w, x2 + 2 * w
    b = (decades + extra) * LN10
    if name == "logicle":
        low, high = 0.0, b
        for _ in range(200):
            d = (low + high) / 2
            low, high = (d, high) if 2 * (np.log(d) - np.log(b)) + w * (d + b) < 0 else (low, d)
        ca = np.exp(x0 * (b + d))
        fa = np.exp(b * x1) - ca * np.exp(-d * x1)
        a = top / (np.exp(b) - fa - ca * np.exp(-d))

        def curve(y: Array) -> Array:
            return a * np.exp(b * y) - ca * a * np.exp(-d * y) - fa * a
    else:
        ca = np.exp(b * x0) / w
        fa = np.exp(b * x1) + ca * x1
        a = top / (np.exp(b) + ca - fa)

        def curve(y: Array) -> Array:
            return a * np.exp(b * y) + ca * a * y - fa * a

    size = np.abs(x)
    below, above = np.full(x.shape, x1), np.full(x.shape, x1 + 1.0)
    for _ in range(12):  # far enough for every number that is asked for
        above = np.where(curve(above) < size, x1 + 2 * (above - x1), above)
    for _ in range(80):
        middle = (below + above) / 2
        less = curve(middle) < size
        below, above = np.where(less, middle, below), np.where(less, above, middle)
    y = np.where(size == 0, x1, np.where(np.isinf(size), np.inf, (below + above) / 2))
    y = np.where(np.isnan(x), np.nan, y)
    return np.where(x < 0, 2 * x1 - y, y)
