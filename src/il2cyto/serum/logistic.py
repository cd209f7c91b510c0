"""The logistic standard curve with four or five parameters: signal, concentration, derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Scales of the signal on which the curve is a logistic function.
LINEAR, LOG = "linear", "log"
#: Order of the parameters in arrays.
NAMES: Final = ("a", "b", "c", "d", "g")


@dataclass(frozen=True)
class Logistic:
    """``y = d + (a - d) / (1 + (x / c)**b)**g``, of a signal or of its natural logarithm.

    Parameters
    ----------
    a
        Where the curve goes as ``(x / c)**b`` goes to 0: for ``b > 0`` the signal of no analyte.
    b
        Slope; may be negative, which exchanges the ends and puts the asymmetry at the other one.
    c
        Concentration of the bend, in the unit of the concentrations; positive.
    d
        Where the curve goes as ``(x / c)**b`` goes to infinity: for ``b > 0`` the highest signal.
    g
        Asymmetry, positive; 1 is the curve with four parameters.
    scale
        ``linear``, or ``log``: then `a` and `d` are natural logarithms of signals.

    Raises
    ------
    ParameterError
        If the parameters make no curve that rises or falls throughout.

    References
    ----------
    Gottschalk PG, Dunn JR. The five-parameter logistic. Anal Biochem 2005;343:54-65.

    Examples
    --------
    >>> curve = Logistic(a=10, b=1.2, c=100, d=20000, g=0.8)
    >>> float(curve.concentration(curve.signal(50.0))).__round__(9)
    50.0
    """

    a: float
    b: float
    c: float
    d: float
    g: float = 1.0
    scale: str = LINEAR

    def __post_init__(self) -> None:
        values = (self.a, self.b, self.c, self.d, self.g)
        if not all(map(math.isfinite, values)) or self.c <= 0 or self.g <= 0 or self.b == 0 or self.a == self.d:
            shown = ", ".join(f"{name} {value:g}" for name, value in zip(NAMES, values, strict=True))
            raise ParameterError(
                f"logistic curve with {shown}: wants finite numbers, c and g above 0, b not 0, and a other than d"
            )
        if self.scale not in (LINEAR, LOG):
            raise ParameterError(f"logistic curve: scale {self.scale!r} is neither {LINEAR} nor {LOG}")

    @property
    def parameters(self) -> NDArray[np.float64]:
        """The parameters in the order of `NAMES`."""
        return np.array([self.a, self.b, self.c, self.d, self.g])

    @property
    def zero(self) -> float:
        """Signal of no analyte."""
        return self._signal(self.a if self.b > 0 else self.d)

    @property
    def infinity(self) -> float:
        """Signal that no concentration reaches."""
        return self._signal(self.d if self.b > 0 else self.a)

    @property
    def rises(self) -> bool:
        """Whether more analyte gives more signal."""
        return self.infinity > self.zero

    def _signal(self, value: float) -> float:
        return math.exp(value) if self.scale == LOG else value

    def signal(self, concentration: ArrayLike) -> NDArray[np.float64]:
        """Return the signal of concentrations of 0 or more; NaN for others."""
        value, _, _ = _terms(self, concentration)
        return np.exp(value) if self.scale == LOG else value

    def concentration(self, signal: ArrayLike) -> NDArray[np.float64]:
        """Return the concentration of signals; 0 at the signal of no analyte or below, inf at the other end."""
        y = np.asarray(signal, dtype=np.float64)
        with np.errstate(all="ignore"):
            value = np.log(y) if self.scale == LOG else y
            # the logarithm of ((a - d) / (y - d))**(1 / g) - 1, which keeps its digits at both ends
            ratio = (self.a - value) / (value - self.d)
            power = np.log(np.expm1(np.log1p(ratio) / self.g)) / self.b
            found = self.c * np.exp(power)
            direction = 1.0 if self.rises else -1.0
            found = np.where((y - self.zero) * direction <= 0, 0.0, found)
            return np.asarray(np.where((y - self.infinity) * direction >= 0, np.inf, found), dtype=np.float64)

    def slope(self, concentration: ArrayLike) -> NDArray[np.float64]:
        """Return the derivative of the signal by the natural logarithm of the concentration."""
        x = np.asarray(concentration, dtype=np.float64)
        value, log_term, power = _terms(self, x)
        with np.errstate(all="ignore"):
            slope = -(self.a - self.d) * self.g * self.b * np.exp(-self.g * log_term) * _share(power)
        slope = np.where(x > 0, slope, 0.0)
        return np.asarray(slope * np.exp(value) if self.scale == LOG else slope)

    def gradient(self, concentration: ArrayLike) -> NDArray[np.float64]:
        """Return the derivatives of the signal by ``a, b, log c, d, log g``, shape ``(n, 5)``."""
        x = np.atleast_1d(np.asarray(concentration, dtype=np.float64))
        value, log_term, power = _terms(self, x)
        with np.errstate(all="ignore"):
            left = np.exp(-self.g * log_term)
            by_power = -(self.a - self.d) * self.g * left * _share(power)
            distance = np.where(x > 0, np.log(x / self.c), 0.0)
            by_log_g = -(self.a - self.d) * self.g * np.where(left > 0, left * log_term, 0.0)
        by_power = np.where(x > 0, by_power, 0.0)
        gradient = np.stack([left, by_power * distance, -by_power * self.b, 1 - left, by_log_g], axis=-1)
        return gradient * np.exp(value)[:, None] if self.scale == LOG else gradient


def _terms(
    curve: Logistic, concentration: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the value on the curve's scale, ``log(1 + (x / c)**b)`` and ``b log(x / c)``."""
    x = np.asarray(concentration, dtype=np.float64)
    with np.errstate(all="ignore"):
        power = curve.b * np.log(np.where(x >= 0, x, np.nan) / curve.c)
        log_term = np.logaddexp(0.0, power)
        value = curve.d + (curve.a - curve.d) * np.exp(-curve.g * log_term)
    return value, log_term, power


def _share(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``p / (1 + p)`` of the exponential of `power`."""
    return np.asarray(1.0 / (1.0 + np.exp(-power)))
