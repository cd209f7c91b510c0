"""What a person chooses about a simulated trial, with its checks and the two ready designs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from il2cyto.errors import ParameterError, did_you_mean


@dataclass(frozen=True)
class PlannedVisit:
    """A visit of the protocol.

    Parameters
    ----------
    target_day, window
        Study days; windows meet at the midpoints between targets.
    spread
        Days by which real visits stray from the target.
    missed
        Probability that the visit does not take place.
    """

    label: str
    number: int
    target_day: int
    window: tuple[int, int]
    spread: int
    missed: float


#: Visits that can be simulated.
VISITS: Final[Mapping[str, PlannedVisit]] = {
    "BL": PlannedVisit("Baseline", 0, 1, (-28, 1), 0, 0.0),
    "M1": PlannedVisit("Month 1", 1, 30, (2, 60), 3, 0.05),
    "M3": PlannedVisit("Month 3", 2, 91, (61, 136), 5, 0.06),
    "M6": PlannedVisit("Month 6", 3, 182, (137, 273), 7, 0.08),
    "M12": PlannedVisit("Month 12", 4, 365, (274, 456), 14, 0.13),
}


@dataclass(frozen=True)
class TrialDesign:
    """Everything that decides a simulated trial.

    Parameters
    ----------
    n_subjects
        Subjects; the arms alternate.
    visits
        Some of ``BL``, ``M1``, ``M3``, ``M6``, ``M12``.
    seed
        Same seed, same bytes.
    lymphocytes
        Live lymphocytes in each TREG, TH17 and NK tube.
    tbnk_lymphocytes
        Lymphocytes in each TBNK tube; its beads follow from the blood.
    separable
        ``True`` keeps populations so far apart that the packaged gates recover them exactly; ``False`` lets them
        overlap as `il2cyto.simulate.overlap` says.
    missing_visits
        Visits after baseline that are left out whole; ``None`` leaves each out with its own probability.
    cv_pipetting, cv_lot
        CV of the blood that the pipette gives, and of the beads of a lot.
    confounding
        Difference of the mean severity between the arms, in SD: treated children were sicker at baseline.
    tachyphylaxis
        Share of the effect of a course that is lost in the end.
    missed_doses
        Probability that a dose is not given; whole courses are left out or begin late in proportion.
    batch_shift
        Factor on the differences in gain and spillover between instruments and batches; 0 for none.
    faulty_share
        Share of tubes with a clog, a drift or margin events.
    controls
        Whether single stains, unstained, FMO and control-donor tubes are written for each batch.
    lymphopenic_every
        Every n-th pair of subjects is lymphopenic, with tubes of about 3,000 lymphocytes; 0 for none.
    """

    n_subjects: int = 6
    visits: tuple[str, ...] = ("BL", "M1", "M3")
    seed: int = 20200815
    lymphocytes: int = 50_000
    tbnk_lymphocytes: int = 12_000
    separable: bool = True
    missing_visits: int | None = 1
    cv_pipetting: float = 0.025
    cv_lot: float = 0.02
    confounding: float = 0.0
    tachyphylaxis: float = 0.2
    missed_doses: float = 0.02
    batch_shift: float = 1.0
    faulty_share: float = 0.0
    controls: bool = False
    lymphopenic_every: int = 0

    def __post_init__(self) -> None:
        # visits stand in the order of time whatever order they were given in
        visits = tuple(self.visits)
        _check_visits(visits)
        object.__setattr__(self, "visits", tuple(visit for visit in VISITS if visit in visits))
        self._check_sizes()
        for name in ("cv_pipetting", "cv_lot", "tachyphylaxis", "missed_doses", "faulty_share"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ParameterError(f"{name} = {value}: wants 0 to 1")
        if not 0 <= self.batch_shift <= 10:
            raise ParameterError(f"batch_shift = {self.batch_shift}: wants 0 to 10")
        if not -3 <= self.confounding <= 3:
            raise ParameterError(f"confounding = {self.confounding}: wants -3 to 3")

    def _check_sizes(self) -> None:
        if self.n_subjects < 2:
            raise ParameterError(f"n_subjects = {self.n_subjects}: two arms need at least 2 subjects")
        if self.n_subjects > 999:
            raise ParameterError(f"n_subjects = {self.n_subjects}: wants at most 999")
        if self.seed < 0:
            raise ParameterError(f"seed = {self.seed}: wants a whole number from 0")
        fewest = min(self.lymphocytes, self.tbnk_lymphocytes)
        if fewest < 100:
            raise ParameterError(f"lymphocytes = {fewest}: every tube wants at least 100")
        if self.lymphopenic_every < 0:
            raise ParameterError(f"lymphopenic_every = {self.lymphopenic_every}: wants a whole number from 0")
        possible = self.n_subjects * sum(visit != "BL" for visit in self.visits)
        if self.missing_visits is not None and not 0 <= self.missing_visits <= possible:
            raise ParameterError(
                f"missing_visits = {self.missing_visits}: wants 0 to {possible}; the baseline is never missed"
            )

    def is_lymphopenic(self, number: int) -> bool:
        """Whether subject `number` (0 is the first) belongs to the lymphopenic stratum; both arms have as many."""
        return self.lymphopenic_every > 0 and (number // 2) % self.lymphopenic_every == self.lymphopenic_every - 1


def _check_visits(visits: tuple[str, ...]) -> None:
    if not visits or len(set(visits)) != len(visits):
        raise ParameterError(f"visits = {list(visits)}: wants at least one visit, each once")
    for visit in visits:
        if visit not in VISITS:
            raise ParameterError(
                f"visits: {visit!r} is not one of {', '.join(VISITS)}{did_you_mean(visit, list(VISITS))}"
            )


#: The demo: small, clean and complete but for one visit.
DEMO: Final = TrialDesign()
#: The trial as it was registered, with what goes wrong in real life.
WHOLE: Final = TrialDesign(
    n_subjects=46,
    visits=tuple(VISITS),
    separable=False,
    missing_visits=None,
    faulty_share=0.10,
    controls=True,
    lymphopenic_every=8,
)
