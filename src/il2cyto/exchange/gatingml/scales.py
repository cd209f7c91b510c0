"""Transformations, ratios and spectrum matrices of a Gating-ML 2.0 file (sections 4 and 6)."""

from __future__ import annotations

from typing import cast

import numpy as np
from lxml import etree

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import Il2CytoError, did_you_mean
from il2cyto.exchange.gatingml.lexical import Lexer, parts
from il2cyto.exchange.xml import local
from il2cyto.gates import Ratio
from il2cyto.gates.dimension import FROM_FILE, UNCOMPENSATED
from il2cyto.transforms import Clamped, Transform, transform_from_dict

#: Name of a scale in the standard, the type that it is here, and its parameters.
SCALES = {
    "flin": ("linear", ("T", "A")),
    "flog": ("log", ("T", "M")),
    "fasinh": ("arcsinh", ("T", "M", "A")),
    "logicle": ("logicle", ("T", "W", "M", "A")),
    "hyperlog": ("hyperlog", ("T", "W", "M", "A")),
}


class ScaleReader(Lexer):
    """Collects what gates refer to: transformations by id, ratios by id with their bounds, matrices by id."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.transforms: dict[str, Transform] = {}
        self.ratios: dict[str, tuple[Ratio, float | None, float | None]] = {}
        self.matrices: dict[str, SpilloverMatrix] = {}

    def transformation(self, element: etree._Element) -> None:
        """Read a transformation or a ratio, with ``boundMin`` and ``boundMax``."""
        name = self.identifier(element)
        if name in self.transforms or name in self.ratios:
            raise self.fail(element, "transformation {name!r} is defined twice", name=name)
        kinds = list(parts(element, *SCALES, "fratio"))
        if len(kinds) != 1:
            message = "transformation {name!r} wants one of {known}"
            raise self.fail(element, message, name=name, known=", ".join([*SCALES, "fratio"]))
        kind = kinds[0]
        low, high = self.bound(element, "boundMin"), self.bound(element, "boundMax")
        low, high = (None if low == -np.inf else low), (None if high == np.inf else high)
        try:
            if local(kind) == "fratio":
                self.ratios[name] = (self._ratio(element, kind, name), low, high)
                if low is not None or high is not None:
                    Clamped(None, low, high)  # bounds that cross are told here, not at the gate
                return
            type_name, keys = SCALES[local(kind)]
            content: dict[str, object] = {"type": type_name, **{key: self.number(kind, key) for key in keys}}
            content |= {key: value for key, value in (("bound_min", low), ("bound_max", high)) if value is not None}
            self.transforms[name] = transform_from_dict(content)
        except Il2CytoError as error:
            if str(error).startswith(self.name):
                raise
            raise self.fail(kind, "transformation {name!r}: {error}", name=name, error=error) from error

    def _ratio(self, element: etree._Element, kind: etree._Element, name: str) -> Ratio:
        # some examples of the printed standard have the two dimensions beside fratio, not inside it
        inside = list(parts(kind, "fcs-dimension")) or list(parts(element, "fcs-dimension"))
        if len(inside) != 2:
            raise self.fail(kind, "ratio {name!r} wants two dimensions, got {n}", name=name, n=len(inside))
        first, second = (self.need(part, "name") for part in inside)
        return Ratio(first, second, *(self.number(kind, key) for key in "ABC"))

    def on_ratio(self, element: etree._Element, ratio: str, reference: str | None) -> tuple[Ratio, str | None]:
        """Return a ratio and the id of the transform of its values, made where the ratio has bounds of its own."""
        if ratio not in self.ratios:
            close = did_you_mean(ratio, list(self.ratios))
            raise self.fail(element, "{found!r} is no ratio of this file{close}", found=ratio, close=close)
        found, low, high = self.ratios[ratio]
        if low is None and high is None:
            return found, reference
        name = f"bounded.{ratio}" if reference is None else f"{reference}.of.{ratio}"
        inner = None if reference is None else self.transforms[reference]
        bounded = Clamped(inner, low, high)
        while self.transforms.get(name, bounded) != bounded or name in self.ratios:
            name += "_"  # the file calls something else so
        self.transforms[name] = bounded
        return found, name

    def matrix(self, element: etree._Element) -> None:
        """Read a spectrum matrix, square or wide, inverted already or not."""
        name = self.identifier(element)
        if name in self.matrices or name in (FROM_FILE, UNCOMPENSATED):
            why = "is defined twice" if name in self.matrices else "has a name that is taken by the standard"
            raise self.fail(element, "spectrum matrix {name!r} {why}", name=name, why=why)
        names: dict[str, tuple[str, ...]] = {"fluorochromes": (), "detectors": ()}
        for part in parts(element, "fluorochromes", "detectors"):
            names[local(part)] = tuple(self.need(item, "name") for item in parts(part, "fcs-dimension"))
        rows = [
            [self.number(cell, "value") for cell in parts(row, "coefficient")] for row in parts(element, "spectrum")
        ]
        n, p = len(names["fluorochromes"]), len(names["detectors"])
        inverted = self.boolean(element, "matrix-inverted-already")
        shapes = [(n, p), (p, n)] if inverted else [(n, p)]
        if (len(rows), len(rows[0]) if rows else 0) not in shapes or len({len(row) for row in rows}) != 1:
            message = "spectrum matrix {name!r}: wants {n} rows of {p}"
            raise self.fail(element, message, name=name, n=n, p=p)
        values = np.array(rows, dtype=np.float64)
        try:
            if inverted:
                values = _spillover(values, (p, n))
            self.matrices[name] = SpilloverMatrix(name, names["detectors"], values, names["fluorochromes"])
        except (Il2CytoError, np.linalg.LinAlgError) as error:
            raise self.fail(element, "spectrum matrix {name!r}: {error}", name=name, error=error) from error


def _spillover(inverse: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the spillover of which an inverse is given: a row per detector, or else a row per fluorochrome.

    Events times the inverse are compensated, so its rows are detectors; a wide matrix that stands the other way round
    can be told by its shape.
    """
    if shape[0] == shape[1]:
        return np.asarray(np.linalg.inv(inverse), dtype=np.float64)
    upright = inverse if inverse.shape == shape else inverse.T
    return cast(np.ndarray, np.linalg.pinv(upright))
