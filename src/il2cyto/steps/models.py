"""What is modelled of the serum of a study, alone and with its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto.study.model import Study

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def serum_model(study: Study, serum: AnnData, visits: AnnData) -> pd.DataFrame:
    """Model the serum values of a study by its arms and visits; see `il2cyto.models.serum_over_visits`.

    Visits that stand apart from the per-visit analysis (``ANL01FL``) and subjects that the study does not list do not
    enter.
    """
    from il2cyto.models import serum_over_visits

    analysed = analysed_serum(study, serum, visits)
    known_visits, known_arms = set(analysed.obs["AVISIT"]), set(analysed.obs["ARM"])
    return serum_over_visits(
        analysed,
        baseline=study.baseline if study.baseline in known_visits else None,
        reference_arm=study.reference_arm if study.reference_arm in known_arms else None,
    )


def changed_table(study: Study, serum: AnnData | None, visits: AnnData, analysed: AnnData) -> pd.DataFrame:
    """Count the changed subjects of a study; see `il2cyto.models.changed_subjects`.

    Parameters
    ----------
    study
        With its rules (`Study.changes`).
    serum, visits
        All of the study; `serum` is ``None`` without serum.
    analysed
        The visits that the per-visit analysis has.
    """
    from il2cyto.models import changed_subjects

    return changed_subjects(
        analysed,
        analysed_serum(study, serum, visits) if serum is not None else None,
        baseline=study.baseline if study.baseline in set(analysed.obs["AVISIT"]) else None,
        reference_arm=study.reference_arm if study.reference_arm in set(analysed.obs["ARM"]) else None,
        rules=study.changes.rules,
        cv=study.changes.cv,
        populations=study.model_populations or None,
    )


def correlation_table(study: Study, serum: AnnData, visits: AnnData, analysed: AnnData) -> pd.DataFrame:
    """Correlate the cells and serum of a study within subjects; see `il2cyto.models.correlate`."""
    from il2cyto.models import correlate

    return correlate(analysed, analysed_serum(study, serum, visits), populations=study.model_populations or None)


def analysed_serum(study: Study, serum: AnnData, visits: AnnData) -> AnnData:
    """Return the serum of the analysed visits of listed subjects, with arms, numbers and days."""
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
    days = visits.obs["DSLD"].reindex(analysed.obs_names)
    analysed.obs["DSLD"] = days.to_numpy(dtype="float64", na_value=float("nan"))
    analysed.obs["ADY"] = visits.obs["ADY"].reindex(analysed.obs_names).to_numpy(dtype="float64", na_value=float("nan"))
    return analysed
