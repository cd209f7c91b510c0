"""How many subjects came to which visit, and what became of their samples."""

from __future__ import annotations

from typing import Final

import pandas as pd

from il2cyto.study.model import Study

FLOW_COLUMNS: Final = ("arm", "label", "visit", "visit_label", "expected", "sampled", "apart", "analysed", "missing",
                       "doses")  # fmt: skip


def flow_table(study: Study, days: pd.DataFrame) -> pd.DataFrame:
    """Count subjects by arm and planned visit.

    Parameters
    ----------
    study
        Arms, subjects and the visits that each arm expects.
    days
        From `il2cyto.derive.visit_table`.

    Returns
    -------
    pandas.DataFrame
        One row per arm and expected visit: subjects ``expected``, with a sample (``sampled``), whose samples stand
        ``apart`` from the per-visit analysis, ``analysed``, and without any sample (``missing``); and, at the first
        visit, how many subjects of the arm had a dose.
    """
    given = {dose.subject for dose in study.doses if not study.treatments or dose.treatment in study.treatments}
    rows = []
    for arm in study.arms.values():
        members = [one.id for one in study.subjects.values() if one.arm == arm.id]
        for place, visit in enumerate(arm.visits):
            here = days[(days["AVISIT"] == visit) & days["USUBJID"].isin(members)]
            analysed = int((here["ANL01FL"] == "Y").sum())
            rows.append(
                (arm.id, arm.label, visit, study.visits[visit].label, len(members), len(here), len(here) - analysed,
                 analysed, len(members) - len(here), sum(one in given for one in members) if not place else 0)
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(FLOW_COLUMNS))
