"""Pieces of a Gating-ML 2.0 file: ids, scales, matrices, blocks of other programs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from lxml import etree

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import GatingMLError
from il2cyto.exchange.gatingml.lexical import DATATYPES, GATING, OWN, TRANSFORMS
from il2cyto.exchange.gatingml.scales import SCALES
from il2cyto.gates import Ratio
from il2cyto.transforms import Bounded, Clamped, Linear, Transform

_PREFIXES = {"gating": GATING, "transforms": TRANSFORMS, "data-type": DATATYPES, "il2cyto": OWN}
_KINDS = {type_name: (element, keys) for element, (type_name, keys) in SCALES.items()}


def plain(name: str) -> str:
    """Return a name with its prefix as lxml takes it: ``gating:id``; without a prefix as it is."""
    prefix, _, rest = name.rpartition(":")
    return f"{{{_PREFIXES[prefix]}}}{rest}" if prefix else name


def number(value: float) -> str:
    """Write a number so that it reads back as the same float64."""
    return repr(float(value)) if math.isfinite(value) else ("INF" if value > 0 else "-INF")


def root() -> etree._Element:
    """Return an empty document."""
    return etree.Element(plain("gating:Gating-ML"), nsmap=_PREFIXES)


def put(parent: etree._Element, name: str, text: str | None = None, /, **attributes: str | None) -> etree._Element:
    """Append an element; attributes without a value are left out, and ``gating_id`` is ``gating:id``."""
    element = etree.SubElement(parent, plain(name))
    for key, value in attributes.items():
        if value is not None:
            prefix, _, rest = key.replace("data_type", "data-type").partition("__")
            element.set(plain(f"{prefix}:{rest}" if rest else key), value)
    element.text = text
    return element


class Ids:
    """Gives every gate, scale, matrix and divider of a file an XML id of its own (xs:ID: letters first, no spaces)."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, name: str) -> str:
        """Return an id like `name`; a ``+`` is written as ``_pos``, other signs as ``_``."""
        base = re.sub(r"[^\w.-]", "_", name.replace("+", "_pos"))
        base = base if re.match(r"[^\W\d]", base) else f"_{base}"
        found, k = base, 1
        while found in self._taken:
            k += 1
            found = f"{base}_{k}"
        self._taken.add(found)
        return found


def in_the_standard(transform: Transform) -> Transform | None:
    """Return a transform as Gating-ML can say it, or ``None`` where it cannot: FlowJo's tables."""
    if not isinstance(transform, Clamped):
        kind = transform.inner if isinstance(transform, Bounded) else transform
        return transform if kind.type in _KINDS else None
    inner = Linear(1.0, 0.0) if transform.inner is None else in_the_standard(transform.inner)
    # where every value has a place on the scale, bounds of the argument are bounds of the result
    if inner is None or inner.domain_minimum > 0 or isinstance(inner, Bounded):
        return None
    ends = [None if end is None else float(inner.apply(end)) for end in (transform.minimum, transform.maximum)]
    return Bounded(inner, *ends)


def transformation(parent: etree._Element, key: str, transform: Transform) -> etree._Element:
    """Append a scale and return the element that may hold custom blocks."""
    kind = transform.inner if isinstance(transform, Bounded) else transform
    low, high = (transform.minimum, transform.maximum) if isinstance(transform, Bounded) else (None, None)
    outer = _transformation(parent, key, low, high)
    name, keys = _KINDS[kind.type]
    return put(outer, f"transforms:{name}", **{f"transforms__{k}": number(getattr(kind, k)) for k in keys})


def ratio(parent: etree._Element, key: str, names: tuple[str, str], found: Ratio, bounds: Clamped | None) -> None:
    """Append a ratio of two dimensions."""
    low, high = (None, None) if bounds is None else (bounds.minimum, bounds.maximum)
    outer = _transformation(parent, key, low, high)
    inner = put(outer, "transforms:fratio", **{f"transforms__{k}": number(getattr(found, k)) for k in "ABC"})
    for name in names:
        put(inner, "data-type:fcs-dimension", data_type__name=name)


def _transformation(parent: etree._Element, key: str, low: float | None, high: float | None) -> etree._Element:
    return put(
        parent,
        "transforms:transformation",
        transforms__id=key,
        transforms__boundMin=None if low is None else number(low),
        transforms__boundMax=None if high is None else number(high),
    )


def spectrum_matrix(parent: etree._Element, key: str, matrix: SpilloverMatrix) -> etree._Element:
    """Append a matrix.

    Raises
    ------
    GatingMLError
        If it has a single fluorochrome or detector; the schema wants two.
    """
    if len(matrix.fluorochromes) < 2:
        raise GatingMLError(
            "matrix {id!r}: Gating-ML wants two fluorochromes at least; take the channel uncompensated", id=matrix.id
        )
    element = put(parent, "transforms:spectrumMatrix", transforms__id=key)
    for name, labels in (("fluorochromes", matrix.fluorochromes), ("detectors", matrix.detectors)):
        part = put(element, f"transforms:{name}")
        for label in labels:
            put(part, "data-type:fcs-dimension", data_type__name=label)
    for row in matrix.values:
        part = put(element, "transforms:spectrum")
        for value in row:
            put(part, "transforms:coefficient", transforms__value=number(value))
    return element


def custom_block(element: etree._Element, kept: Iterable[str]) -> etree._Element:
    """Return the custom block of an element, made in its first place, with what other programs had written there."""
    block = element.find(plain("data-type:custom_info"))
    if block is None:
        block = etree.Element(plain("data-type:custom_info"))
        element.insert(0, block)
    for text in kept:
        foreign = etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))
        if len(block):
            block[-1].tail = (block[-1].tail or "") + (foreign.text or "")
        else:
            block.text = (block.text or "") + (foreign.text or "")
        block.extend(list(foreign))
    return block
