"""Normalisations as JSON text, with the same numbers when read back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from il2cyto.errors import ParameterError
from il2cyto.normalise.clusters import ClusteredNormalisation
from il2cyto.normalise.quantiles import Normalisation, Unnormalised

FORMAT: Final = "il2cyto normalisation 1"


def to_json(normalisation: Normalisation | ClusteredNormalisation) -> str:
    """Write a normalisation as JSON text; floats in the shortest form that gives the same bits back.

    Examples
    --------
    >>> from il2cyto.normalise.quantiles import learn_quantiles
    >>> learnt = learn_quantiles({"a": [[0.0], [1.0]], "b": [[0.0], [2.0]]}, ["CD4"], levels=(0.0, 1.0), min_events=2)
    >>> from_json(to_json(learnt)) == learnt
    True
    """
    return json.dumps({"format": FORMAT, **asdict(normalisation)}, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def from_json(text: str) -> Normalisation | ClusteredNormalisation:
    """Read what `to_json` wrote.

    Raises
    ------
    ParameterError
        Text that is no JSON, another format, a missing or unknown entry, or numbers that make no normalisation.
    """
    try:
        held = json.loads(text)
        if not isinstance(held, dict) or held.pop("format", None) != FORMAT:
            raise ParameterError(f"not a normalisation: wanted JSON with format = {FORMAT!r}, as to_json writes it")
        return _clustered(held) if "centres" in held else _plain(held)
    except ParameterError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ParameterError(
            f"no normalisation can be read from this JSON ({type(error).__name__}): write it with to_json"
        ) from error


def _plain(held: dict[str, Any]) -> Normalisation:
    rest = {
        key: held.pop(key) for key in ("channels", "levels", "n_events", "quantiles", "goal", "unnormalised", "slope")
    }
    _nothing_else(held)
    return Normalisation(
        channels=tuple(_text(name) for name in rest["channels"]),
        levels=_numbers(rest["levels"]),
        n_events={batch: _count(n) for batch, n in rest["n_events"].items()},
        quantiles={
            batch: {channel: _numbers(values) for channel, values in own.items()}
            for batch, own in rest["quantiles"].items()
        },
        goal={channel: _numbers(values) for channel, values in rest["goal"].items()},
        unnormalised=tuple(
            Unnormalised(**{key: _text(value) for key, value in one.items()}) for one in rest["unnormalised"]
        ),
        slope=_numbers([rest["slope"]])[0],
    )


def _clustered(held: dict[str, Any]) -> ClusteredNormalisation:
    rest = {key: held.pop(key) for key in ("centres", "whole", "parts", "reasons")}
    _nothing_else(held)
    return ClusteredNormalisation(
        centres=tuple(_numbers(centre) for centre in rest["centres"]),
        whole=_plain(rest["whole"]),
        parts=tuple(None if part is None else _plain(part) for part in rest["parts"]),
        reasons=tuple(_text(reason) for reason in rest["reasons"]),
    )


def _nothing_else(held: dict[str, Any]) -> None:
    if held:
        raise ParameterError(f"{len(held)} entries of this JSON are unknown: write it with to_json")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError
    return value


def _numbers(values: list[object]) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        raise TypeError
    return tuple(map(float, values))  # type: ignore[arg-type]
