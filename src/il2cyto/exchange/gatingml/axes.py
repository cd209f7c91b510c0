"""Dimensions of gates as Gating-ML 2.0 writes them, with the scales, ratios and matrices that they refer to."""

from __future__ import annotations

import math
import sys

from lxml import etree

from il2cyto.errors import GatingMLError
from il2cyto.exchange.gatingml import elements
from il2cyto.exchange.gatingml.elements import Ids, custom_block, number, put
from il2cyto.exchange.gatingml.names import Names
from il2cyto.gates import UNCOMPENSATED, Dimension, Limits, Ratio
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.transforms import Clamped, Transform

_LOWEST = -sys.float_info.max


class AxisWriter:
    """Writes dimensions, and each scale, ratio and matrix once."""

    def __init__(self, strategy: GatingStrategy, names: Names) -> None:
        self.strategy, self.names = strategy, names
        self.ids = Ids()
        self.root = elements.root()
        self.gate_ids = [self.ids.new(population.name) for population in strategy.populations]
        self.known = dict(strategy.transforms)
        self.transforms: dict[Transform, str] = {}
        self.ratios: dict[tuple[Ratio, tuple[str, str], Clamped | None], str] = {}
        self.matrices: dict[str, str] = {}

    def references(self) -> None:
        """Write the scales and matrices of the strategy."""
        kept = self.strategy.custom_info
        for key, transform in self.strategy.transforms.items():
            if elements.in_the_standard(transform) == transform and transform not in self.transforms:
                found = elements.transformation(self.root, self.name_transform(transform, key), transform)
                if kept.get(f"transformation {key}"):
                    custom_block(found, kept[f"transformation {key}"])
        for key, matrix in self.strategy.matrices.items():
            self.matrices[key] = self.ids.new(key)
            found = elements.spectrum_matrix(self.root, self.matrices[key], matrix)
            if kept.get(f"spectrumMatrix {key}"):
                custom_block(found, kept[f"spectrumMatrix {key}"])

    def name_transform(self, transform: Transform, key: str) -> str:
        """Give a transform an id of the file."""
        self.transforms[transform] = self.ids.new(key)
        return self.transforms[transform]

    def wrong(self, i: int, message: str, **values: object) -> GatingMLError:
        """Return the error for a population."""
        name = self.strategy.paths[i]
        return GatingMLError("population {path!r}: " + message, path=name, **values)

    def scale(self, dimension: Dimension) -> tuple[str | None, Clamped | None] | None:
        """Id of a dimension's scale and bounds of its ratio, or ``None`` where the standard has no such scale."""
        if dimension.transform is None:
            return None, None
        transform = self.known[dimension.transform]
        bounds = None
        said: Transform | None = transform
        if isinstance(transform, Clamped) and isinstance(dimension.source, Ratio):
            bounds, said = Clamped(None, transform.minimum, transform.maximum), transform.inner
            if said is None:
                return None, bounds
        said = None if said is None else elements.in_the_standard(said)
        if said is None:
            return None
        if said not in self.transforms:
            elements.transformation(self.root, self.name_transform(said, dimension.transform), said)
        return self.transforms[said], bounds

    def dimension(
        self, i: int, parent: etree._Element, tag: str, dimension: Dimension, **attributes: str | None
    ) -> etree._Element:
        """Append a dimension or a divider; `attributes` are further ones of it."""
        scale = self.scale(dimension)
        if scale is None:
            raise self.wrong(
                i, "Gating-ML has no scale like transform {transform!r}; draw the gate on a logicle scale, or as a "
                "rectangle", transform=dimension.transform,
            )  # fmt: skip
        reference, bounds = scale
        if isinstance(dimension.source, Ratio):
            two = (dimension.source.numerator, dimension.source.denominator)
            first, second = (self.names.dimension(i, Dimension(name, dimension.compensation)) for name in two)
            key = (dimension.source, (str(first.source), str(second.source)), bounds)
            if key not in self.ratios:
                self.ratios[key] = self.ids.new(f"ratio.{key[1][0]}.{key[1][1]}")
                elements.ratio(self.root, self.ratios[key], key[1], dimension.source, bounds)
            # one channel inside the matrix is enough to name it; it does not change the other
            used = second.compensation if first.compensation == UNCOMPENSATED else first.compensation
            compensation = self.matrices.get(used, used)
            inner, named = "data-type:new-dimension", {"data_type__transformation-ref": self.ratios[key]}
        else:
            plain = self.names.dimension(i, dimension)
            compensation = self.matrices.get(plain.compensation, plain.compensation)
            inner, named = "data-type:fcs-dimension", {"data_type__name": str(plain.source)}
        references = {"gating__compensation-ref": compensation, "gating__transformation-ref": reference}
        element = put(parent, f"gating:{tag}", **references, **attributes)
        put(element, inner, **named)
        return element

    def limits(self, i: int, parent: etree._Element, limit: Limits) -> None:
        """Append a dimension of a rectangle."""
        dimension = limit.dimension
        low = -math.inf if limit.minimum is None else limit.minimum
        high = math.inf if limit.maximum is None else limit.maximum
        transform = self.strategy.transforms.get(dimension.transform or "")
        if transform is not None and self.scale(dimension) is None and _is_whole(transform, dimension):
            # limits are exact on the linear scale, whatever the scale that they were drawn on
            low, high = _on_linear(transform, low, high)
            dimension = Dimension(dimension.source, dimension.compensation)
        if low > high or low == math.inf or high == -math.inf:
            low = high = 0.0  # nothing is inside, as before
        self.dimension(
            i, parent, "dimension", dimension,
            gating__min=number(low) if low > -math.inf else None,
            gating__max=number(high) if high < math.inf else None,
        )  # fmt: skip


def _is_whole(transform: Transform, dimension: Dimension) -> bool:
    """Whether a scale has a place for all that is defined without it; a ratio can be infinite, a channel is not."""
    lowest = transform.domain_minimum
    return lowest == _LOWEST or (lowest == -math.inf and not isinstance(dimension.source, Ratio))


def _on_linear(transform: Transform, low: float, high: float) -> tuple[float, float]:
    least = low if low == -math.inf else transform.smallest_reaching(low)
    most = math.inf if high > transform.top else transform.smallest_reaching(high)
    return least, most
