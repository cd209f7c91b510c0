"""One absolute count, cells/µL, from the events of a tube or of replicate tubes.

Where a function takes event counts it also takes sequences of them, one value per replicate tube of the same blood
sample: cells and blood volumes are then summed. Pipetting errors of replicates are independent; the bead lot, the
calibration of the volume and the lymphocyte count are shared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from il2cyto.counts.intervals import Floats
from il2cyto.counts.routes import Estimates, by_alc, by_beads, by_chain, by_volume
from il2cyto.errors import ParameterError

if TYPE_CHECKING:
    from il2cyto.study.model import ErrorModel

Route = Literal["beads", "volumetric", "dual", "chained"]


@dataclass(frozen=True, slots=True)
class AbsoluteCount:
    """Cells/µL of blood with 95 % limits.

    Attributes
    ----------
    value, lower, upper
        Estimate and limits, cells/µL.
    cv
        Standard deviation of the log of the estimate, a fraction (0.1 is 10 %); NaN where nothing was counted.
    route
        ``beads``, ``volumetric``, ``dual`` or ``chained``.
    """

    value: float
    lower: float
    upper: float
    cv: float
    route: Route


def from_beads(
    n_cells: ArrayLike,
    n_beads: ArrayLike,
    beads_per_test: ArrayLike,
    blood_volume_ul: ArrayLike,
    dilution: ArrayLike,
    errors: ErrorModel,
) -> AbsoluteCount:
    """Single platform with counting beads: ``(N_cells / N_beads) · (beads_per_test / V_blood) · dilution``.

    ``CV² = 1/N + 1/N_beads + CV_pip² + CV_lot²``; exact limits below 30 cells or beads.

    Parameters
    ----------
    n_cells, n_beads
        Events in the population and in the bead gate.
    beads_per_test
        Beads in the tube, as stated for the lot.
    blood_volume_ul
        Blood pipetted into the tube, µL.
    dilution
        Dilution of that blood beforehand, 1 for none.
    errors
        ``cv_pipetting`` and ``cv_lot`` are used.

    Raises
    ------
    ParameterError
        If a count is negative or not whole, there are no beads, or a factor is not positive and finite.

    Examples
    --------
    >>> from il2cyto.study.model import ErrorModel
    >>> errors = ErrorModel(cv_pipetting=0.03, cv_lot=0.02, cv_volume=0.03, cv_alc=0.04)
    >>> count = from_beads(4000, 10_000, 50_000, 50, 1, errors)
    >>> round(count.value, 1), round(count.lower, 1), round(count.upper, 1), round(count.cv, 4)
    (400.0, 369.4, 433.1, 0.0406)
    """
    cells, beads = _events("n_cells", n_cells), _events("n_beads", n_beads)
    if not (beads > 0).all():
        raise ParameterError("n_beads = 0: without bead events there is no volume to divide by; check the bead gate")
    per_test, volume, diluted = (
        _positive(name, values)
        for name, values in (
            ("beads_per_test", beads_per_test),
            ("blood_volume_ul", blood_volume_ul),
            ("dilution", dilution),
        )
    )
    cells, beads, ul_per_bead = _replicates(cells, beads, volume / (per_test * diluted))
    return _one(by_beads(cells, beads, ul_per_bead, errors.cv_pipetting, errors.cv_lot), "beads")


def from_volume(n_cells: ArrayLike, volume_ul: ArrayLike, dilution: ArrayLike, errors: ErrorModel) -> AbsoluteCount:
    """Volumetric cytometer: ``N_cells / volume_ul · dilution``, ``CV² = 1/N + CV_vol²``; exact limits below 30 cells.

    Parameters
    ----------
    n_cells
        Events in the population.
    volume_ul
        Acquired volume of stained suspension, µL; scale it by the share of the time that time QC retained.
    dilution
        Total volume of the suspension / blood in it.
    errors
        ``cv_volume`` is used.

    Raises
    ------
    ParameterError
        If a count is negative or not whole, or a factor is not positive and finite.

    Examples
    --------
    >>> from il2cyto.study.model import ErrorModel
    >>> errors = ErrorModel(cv_pipetting=0.03, cv_lot=0.02, cv_volume=0.03, cv_alc=0.04)
    >>> round(from_volume(600, 100, 10, errors).value, 1)
    60.0
    """
    blood = _positive("volume_ul", volume_ul) / _positive("dilution", dilution)
    cells, blood = _replicates(_events("n_cells", n_cells), blood)
    return _one(by_volume(cells, blood, errors.cv_volume), "volumetric")


def from_alc(n_cells: ArrayLike, n_denominator: ArrayLike, alc_per_ul: float, errors: ErrorModel) -> AbsoluteCount:
    """Dual platform: ``N_cells / N_denominator · lymphocytes/µL`` of the blood count of the same draw.

    ``CV² = (1 - p)/N + CV_ALC²``; Clopper–Pearson below 30 events in or outside the population.

    Parameters
    ----------
    n_cells, n_denominator
        Events in the population and in the lymphocyte gate that holds it.
    alc_per_ul
        Absolute lymphocyte count, cells/µL (10⁹/L × 1000).
    errors
        ``cv_alc`` is used.

    Raises
    ------
    ParameterError
        If the denominator is empty or smaller than the population, a count is negative or not whole, or
        `alc_per_ul` is not positive and finite.

    Examples
    --------
    >>> from il2cyto.study.model import ErrorModel
    >>> errors = ErrorModel(cv_pipetting=0.03, cv_lot=0.02, cv_volume=0.03, cv_alc=0.04)
    >>> round(from_alc(4800, 10_000, 1500, errors).value, 1)
    720.0
    """
    cells, denominator = _replicates(
        _events("n_cells", n_cells), _share_of("n_cells", n_cells, "n_denominator", n_denominator)
    )
    alc = _positive("alc_per_ul", alc_per_ul)
    return _one(by_alc(cells, denominator, alc, errors.cv_alc), "dual")


def chained(n_child: ArrayLike, n_parent: ArrayLike, parent: AbsoluteCount) -> AbsoluteCount:
    """Share of a parent in a phenotyping tube × that parent's cells/µL from another tube of the same draw.

    ``var(log parent/µL) + (1 - p)/N_child``; Clopper–Pearson below 30 events in or outside the child.

    Parameters
    ----------
    n_child, n_parent
        Events in the population and in the chained parent of the same tube.
    parent
        The parent's absolute count.

    Raises
    ------
    ParameterError
        If the parent is empty or smaller than the child, or a count is negative or not whole.

    Examples
    --------
    >>> from il2cyto.study.model import ErrorModel
    >>> errors = ErrorModel(cv_pipetting=0.03, cv_lot=0.02, cv_volume=0.03, cv_alc=0.04)
    >>> cd4 = from_beads(2500, 10_000, 50_000, 50, 1, errors)
    >>> treg = chained(625, 12_500, cd4)
    >>> round(treg.value, 2), round(treg.cv, 3)
    (12.5, 0.058)
    """
    child, total = _replicates(_events("n_child", n_child), _share_of("n_child", n_child, "n_parent", n_parent))
    known = Estimates(*(np.asarray(x, dtype=np.float64) for x in (parent.value, parent.lower, parent.upper, parent.cv)))
    return _one(by_chain(child, total, known), "chained")


def _events(name: str, values: ArrayLike) -> Floats:
    events = np.asarray(values, dtype=np.float64)
    good = np.isfinite(events) & (events >= 0) & (events == np.floor(events))
    if not good.all():
        raise ParameterError(f"{name} = {values!r}: counts of events are whole numbers, 0 or more")
    return events


def _positive(name: str, values: ArrayLike) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    if not (np.isfinite(numbers) & (numbers > 0)).all():
        raise ParameterError(f"{name} = {values!r} must be positive and finite")
    return numbers


def _share_of(name: str, values: ArrayLike, parent_name: str, parent_values: ArrayLike) -> Floats:
    events, parent = _events(name, values), _events(parent_name, parent_values)
    if (events > parent).any():
        raise ParameterError(f"{name} = {values!r} exceeds {parent_name} = {parent_values!r}, which must hold it")
    if not parent.sum() > 0:
        raise ParameterError(f"{parent_name} = {parent_values!r}: there is no share of an empty population")
    return parent


def _replicates(*arrays: Floats) -> list[Floats]:
    try:
        return [np.atleast_1d(array) for array in np.broadcast_arrays(*arrays)]
    except ValueError:
        sizes = ", ".join(str(array.size) for array in arrays)
        raise ParameterError(
            f"replicates differ in number ({sizes}); give one value per tube, or one for all"
        ) from None


def _one(estimates: Estimates, route: Route) -> AbsoluteCount:
    value, lower, upper, cv = (float(x) for x in estimates)
    return AbsoluteCount(value, lower, upper, cv, route)
