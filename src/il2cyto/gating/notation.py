"""Values as YAML has them, so that reading gives the same back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping

from il2cyto.gates import UNCOMPENSATED, Dimension, Ratio

_PLAIN = re.compile(r"[A-Za-z]([A-Za-z0-9_.+/ -]*[A-Za-z0-9_.+-])?")
#: What YAML 1.1 or 1.2 reads as something else than a text.
_WORDS = frozenset({"true", "false", "null", "none", "yes", "no", "on", "off", "y", "n"})


def yaml_text(text: str) -> str:
    """Return a text in double quotes, unless it is plain enough that no YAML parser takes it for anything else.

    Examples
    --------
    >>> yaml_text("CD4"), yaml_text("new lot: debris")
    ('CD4', '"new lot: debris"')
    """
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)


def yaml_number(value: float) -> str:
    """Return a number in its shortest exact form."""
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    # −0.0 is another number than 0 to a hash
    whole = value == int(value) and abs(value) < 1e15 and (value != 0 or math.copysign(1.0, value) > 0)
    return repr(int(value)) if whole else repr(float(value))


def yaml_row(values: Iterable[float]) -> str:
    """Return numbers as a list."""
    return f"[{', '.join(map(yaml_number, values))}]"


def yaml_words(words: Iterable[str]) -> str:
    """Return texts as a list."""
    return f"[{', '.join(map(yaml_text, words))}]"


def yaml_dimension(dimension: Dimension, axes: Mapping[str, str], more: str = "") -> str:
    """Return a dimension with all that it says, and `more` behind it."""
    source = dimension.source
    if isinstance(source, Ratio):
        parts = [f"numerator: {yaml_text(source.numerator)}", f"denominator: {yaml_text(source.denominator)}"]
        parts += [f"{name}: {yaml_number(getattr(source, name))}" for name in "ABC"]
        text = f"ratio: {{{', '.join(parts)}}}"
    else:
        text = f"channel: {yaml_text(source)}"
    if dimension.compensation != UNCOMPENSATED:
        text += f", compensation: {yaml_text(dimension.compensation)}"
    if dimension.transform is not None:
        text += f", transform: {yaml_text(dimension.transform)}"
    elif dimension.label in axes:
        text += ", transform: none"
    return f"{{{text}{more}}}"
