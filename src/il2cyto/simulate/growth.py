"""Height and weight of children aged 6 to 18.

The median curves are round numbers chosen for this simulator; they have the shape of growth charts (girls stop earlier)
and are no reference values.
"""

from __future__ import annotations

from typing import Final

import numpy as np

#: Median height in cm at 6, 7, … 19 years.
_HEIGHT: Final = {
    "F": (115, 121, 127, 133, 139, 145, 151.5, 157, 160, 162, 162.5, 163, 163, 163),
    "M": (116, 122, 128, 133.5, 138.5, 143.5, 149, 156, 164, 170, 173.5, 175, 176, 176),
}
_AGES: Final = np.arange(6.0, 20.0)
#: SD of height, as a share of the median; SD of the logarithm of the body-mass index.
_HEIGHT_SD: Final = 0.042
_BMI_SD: Final = 0.11
#: Median body-mass index at 6 years and its rise per year; glucocorticoids put children above the charts.
_BMI: Final = (16.3, 0.45)


def height_cm(age_years: float, sex: str, z: float) -> float:
    """Height of a child whose height deviates by `z` SD.

    Examples
    --------
    >>> height_cm(6.0, "F", 0.0), round(height_cm(12.5, "M", 1.0), 1)
    (115.0, 158.9)
    """
    median = float(np.interp(age_years, _AGES, _HEIGHT["F" if sex == "F" else "M"]))
    return median * (1 + _HEIGHT_SD * z)


def weight_kg(age_years: float, height: float, z: float) -> float:
    """Weight of a child of this height whose body-mass index deviates by `z` SD.

    Examples
    --------
    >>> round(weight_kg(10.0, 140.0, 0.0), 1)
    35.5
    """
    bmi = (_BMI[0] + _BMI[1] * (age_years - 6.0)) * float(np.exp(_BMI_SD * z))
    return bmi * (height / 100.0) ** 2
