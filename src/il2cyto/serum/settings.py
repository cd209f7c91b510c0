"""How plates become concentrations: every rule that changes a number."""

from __future__ import annotations

from dataclasses import dataclass, field

from il2cyto.errors import ParameterError
from il2cyto.serum.fit import MODELS, PROPORTIONAL
from il2cyto.serum.limits import Acceptance
from il2cyto.serum.logistic import LINEAR, LOG


@dataclass(frozen=True)
class AssaySettings:
    """Rules of an assay.

    Attributes
    ----------
    model
        ``4PL``, ``5PL`` or ``auto`` (`il2cyto.serum.fit_curve`).
    scale
        Of the signal on which the curve is logistic: ``linear`` or ``log``.
    theta
        The standard deviation of a reading is proportional to this power of the signal; ``None`` estimates it from
        repeated standards.
    pool
        Whether the curves of several plates of one kit are estimated together (`il2cyto.serum.pool_fits`).
    least_levels
        Levels of standards above 0 without which there is no curve.
    acceptance
        What makes a curve quantify, and over which range.
    least_beads
        Beads below which the reading of a well is not used.
    few_beads
        Beads below which a reading is used and flagged.
    cv
        Largest coefficient of variation, in percent, of repeated wells of a sample that is not flagged.
    parallelism
        Largest relative standard deviation, in percent, of the concentrations of several dilutions that is not flagged.
    control_bias, control_cv
        Largest deviation of a control from what it should hold, and between its wells, in percent.
    drift
        Largest deviation, in percent, of a control or bridge sample on one plate from its mean over plates.
    """

    model: str = "auto"
    scale: str = LINEAR
    theta: float | None = PROPORTIONAL
    pool: bool = False
    least_levels: int = 6
    acceptance: Acceptance = field(default_factory=Acceptance)
    least_beads: float = 35
    few_beads: float = 50
    cv: float = 25.0
    parallelism: float = 30.0
    control_bias: float = 20.0
    control_cv: float = 20.0
    drift: float = 25.0

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ParameterError(f"model {self.model!r}: one of {', '.join(MODELS)}")
        if self.scale not in (LINEAR, LOG):
            raise ParameterError(f"scale {self.scale!r}: {LINEAR} or {LOG}")
        for name in ("least_beads", "few_beads", "cv", "parallelism", "control_bias", "control_cv", "drift"):
            if not getattr(self, name) >= 0:
                raise ParameterError(f"{name} {getattr(self, name)}: wants 0 or more")
        if self.theta is not None and not 0 <= self.theta <= 2:
            raise ParameterError(f"theta {self.theta:g}: wants 0 (same spread everywhere) to 2")
