"""Increasing maps from the linear scale to display scales, with exact inverses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from il2cyto.errors import ParameterError, did_you_mean
from il2cyto.transforms.base import Transform, check_keys
from il2cyto.transforms.biex import FlowJoBiex
from il2cyto.transforms.biexponential import Hyperlog, Logicle
from il2cyto.transforms.bounded import Bounded
from il2cyto.transforms.clamped import Clamped
from il2cyto.transforms.flowjo import FlowJoLinear
from il2cyto.transforms.simple import Arcsinh, Linear, Log

__all__ = [
    "Arcsinh",
    "Bounded",
    "Clamped",
    "FlowJoBiex",
    "FlowJoLinear",
    "Hyperlog",
    "Linear",
    "Log",
    "Logicle",
    "Transform",
    "transform_from_dict",
]

_KINDS: dict[str, type[Transform]] = {
    kind.type: kind for kind in (Linear, Log, Arcsinh, Logicle, Hyperlog, FlowJoBiex, FlowJoLinear)
}


def transform_from_dict(content: Mapping[str, Any]) -> Transform:
    """Make a transform from plain data as it stands in a strategy file.

    Beside the parameters of the type there may stand ``bound_min`` and ``bound_max`` for the result, ``input_min`` and
    ``input_max`` for the argument; the type ``identity`` does nothing but keep its argument inside bounds.

    Raises
    ------
    ParameterError
        If the type is unknown, a parameter is missing or surplus, or a value is outside its domain.

    Examples
    --------
    >>> transform_from_dict({"type": "logicle", "T": 262144, "W": 0.5, "M": 4.5, "A": 0})
    Logicle(T=262144.0, W=0.5, M=4.5, A=0.0)
    """
    given = dict(content)
    name = str(given.pop("type", ""))
    first, last = given.pop("input_min", None), given.pop("input_max", None)
    if name == "identity":
        check_keys(name, given, ())
        return Clamped(None, first, last)
    if name not in _KINDS:
        raise ParameterError(
            f"transform type {name!r} is unknown{did_you_mean(name, list(_KINDS))}; known: {', '.join(_KINDS)}"
        )
    minimum, maximum = given.pop("bound_min", None), given.pop("bound_max", None)
    kind = _KINDS[name]
    check_keys(name, given, tuple(item.name for item in fields(kind)))
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ParameterError(f"transform {name}: {key} = {value!r} must be a number")
    inner = kind(**{key: float(value) for key, value in given.items()})
    bounded = inner if minimum is None and maximum is None else Bounded(inner, minimum, maximum)
    return bounded if first is None and last is None else Clamped(bounded, first, last)
