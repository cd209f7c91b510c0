"""Body surface area from height and weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import ParameterError, did_you_mean

Floats = NDArray[np.float64]

MOSTELLER: Final = "mosteller"


def body_surface_m2(height_cm: ArrayLike, weight_kg: ArrayLike, formula: str = MOSTELLER) -> Floats:
    """Return the body surface area in m².

    Parameters
    ----------
    height_cm, weight_kg
        Arrays that broadcast; NaN gives NaN.
    formula
        ``mosteller`` (New England Journal of Medicine 317 (1987) 1098), ``haycock`` (Journal of Pediatrics 93 (1978)
        62), ``dubois`` (Archives of Internal Medicine 17 (1916) 863) or ``chinese_paediatric`` (of the weight alone,
        in two pieces). One formula is to serve all visits of a subject: the last one drops at 30 kg, so that a dose per
        m² rises there by growth alone.

    Raises
    ------
    ParameterError
        If the formula is unknown, or a height or weight is not above 0.

    Examples
    --------
    >>> [round(float(body_surface_m2(140, 32, name)), 3) for name in sorted(FORMULAS)]
    [1.09, 1.127, 1.11, 1.116]
    """
    if formula not in FORMULAS:
        raise ParameterError(f"formula {formula!r}: no such formula{did_you_mean(formula, list(FORMULAS))}")
    height, weight = np.asarray(height_cm, dtype=np.float64), np.asarray(weight_kg, dtype=np.float64)
    for name, values in (("height_cm", height), ("weight_kg", weight)):
        if (values <= 0).any():
            raise ParameterError(f"{name} {values[values <= 0].ravel()[0]:g}: a body has more than 0")
    return np.asarray(FORMULAS[formula](height, weight), dtype=np.float64)


def _chinese_paediatric(height: Floats, weight: Floats) -> Floats:
    light, heavy = 0.035 * weight + 0.1, 1.05 + 0.02 * (weight - 30.0)
    return np.where(np.isnan(height), np.nan, np.where(weight <= 30.0, light, heavy))


#: Formulas by name.
FORMULAS: Final[dict[str, Callable[[Floats, Floats], Floats]]] = {
    MOSTELLER: lambda height, weight: np.sqrt(height * weight / 3600.0),
    "haycock": lambda height, weight: 0.024265 * weight**0.5378 * height**0.3964,
    "dubois": lambda height, weight: 0.007184 * weight**0.425 * height**0.725,
    "chinese_paediatric": _chinese_paediatric,
}
