"""The serum of a study that models take, and its model over visits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto.study.model import Study

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def serum_model(study: Study, serum: AnnData) -> pd.DataFrame:
    """Model the serum values of `analysed_serum` by arms and visits; see `il2cyto.models.serum_over_visits`."""
    from il2cyto.models import serum_over_visits

    known_visits, known_arms = set(serum.obs["AVISIT"]), set(serum.obs["ARM"])
    return serum_over_visits(
        serum,
        baseline=study.baseline if study.baseline in known_visits else None,
        reference_arm=study.reference_arm if study.reference_arm in known_arms else None,
    )


def analysed_serum(study: Study, serum: AnnData, visits: AnnData) -> AnnData:
    """Return the serum that models take, with arms, numbers of visits and days.

    Visits that stand apart from the per-visit analysis (``ANL01FL``) and subjects that the study does not list are left
    out.
    """
    apart = set(visits.obs_names[(visits.obs["ANL01FL"] != "Y").to_numpy()])
    arms = {subject.id: subject.arm for subject in study.subjects.values()}
    numbers = {visit.id: float(visit.number) for visit in study.visits.values()}
    kept = [
        name not in apart and subject in arms and visit in numbers
        for name, subject, visit in zip(serum.obs_names, serum.obs["USUBJID"], serum.obs["AVISIT"], strict=True)
    ]
    analysed = serum[kept].copy()
    analysed.obs["ARM"] = [arms[subject] for subject in analysed.obs["USUBJID"]]
    analysed.obs["AVISITN"] = [numbers[visit] for visit in analysed.obs["AVISIT"]]
    for name in ("DSLD", "ADY"):
        days = visits.obs[name].reindex(analysed.obs_names)
        analysed.obs[name] = days.to_numpy(dtype="float64", na_value=float("nan"))
    return analysed
