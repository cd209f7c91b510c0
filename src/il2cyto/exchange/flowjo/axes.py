"""The axes of a FlowJo sample: one scale per parameter."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lxml import etree

from il2cyto.errors import Il2CytoError
from il2cyto.exchange.xml import attribute, children, local
from il2cyto.transforms import (
    Arcsinh,
    Clamped,
    FlowJoBiex,
    FlowJoLinear,
    Hyperlog,
    Linear,
    Log,
    Logicle,
    Transform,
)


@dataclass(frozen=True)
class Axis:
    """A scale with its id in the strategy, or why there is none."""

    id: str = ""
    transform: Transform | None = None
    problem: str = ""


def read_axes(element: etree._Element | None) -> dict[str, Axis]:
    """Return the axis of each parameter, by the name that gates use.

    A scale that cannot be used is kept with the reason: it matters only where a gate has a shape on it.
    """
    found: dict[str, Axis] = {}
    for scale in children(element) if element is not None else ():
        for parameter in children(scale, "parameter"):
            name = attribute(parameter, "name")
            if name is not None:
                found[name] = _axis(scale)
    return found


def _axis(element: etree._Element) -> Axis:
    kind = local(element)
    try:
        transform = _transform(kind, element)
    except _UnusableError as error:
        return Axis(problem=str(error))
    except Il2CytoError as error:
        return Axis(problem=f"{kind} axis: {error}")
    if transform is None:
        return Axis(problem=f"axes of type {kind!r} are not public")
    return Axis(transform_id(transform), transform)


class _UnusableError(Exception):
    """Numbers that make no axis."""


def transform_id(transform: Transform) -> str:
    """Return an id made of the type and its numbers, so that equal scales of two samples have equal ids.

    Examples
    --------
    >>> transform_id(Linear(T=262144.0))
    'linear_262144_0'
    """
    content = transform.to_dict()
    return "_".join([str(content.pop("type")), *(f"{value:.10g}" for value in content.values())])


def _transform(kind: str, element: etree._Element) -> Transform | None:
    def number(name: str) -> float:
        text = attribute(element, name) or ""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise _UnusableError(f"{kind} axis: {name} is {text!r}, wanted a number")
        return value

    if kind == "linear":
        low, high = number("minRange"), number("maxRange")
        if not low < high:
            raise _UnusableError(f"linear axis from {low:g} to {high:g}")
        return Linear(T=high, A=abs(low)) if low <= 0 and -low <= high else FlowJoLinear(low, high)
    if kind == "log":
        offset, decades = number("offset"), number("decades")
        if offset <= 0 or decades <= 0:
            raise _UnusableError(f"log axis from {offset:g} over {decades:g} decades")
        # what is below the axis is shown, and gated, at its lower end
        return Clamped(Log(T=offset * 10.0**decades, M=decades), minimum=offset)
    if kind == "biex":
        return FlowJoBiex(
            length=number("length"),
            maximum=number("maxRange"),
            negative=max(number("neg"), 0.0),
            width=number("width"),
            positive=number("pos"),
        )
    if kind == "logicle":
        return Logicle(T=number("T"), W=number("W"), M=number("M"), A=number("A"))
    if kind == "hyperlog":
        return Hyperlog(T=number("T"), W=number("W"), M=number("M"), A=number("A"))
    if kind == "fasinh":
        return Arcsinh(T=number("T"), M=number("M"), A=number("A"))
    return None
