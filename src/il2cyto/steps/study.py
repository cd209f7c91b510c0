"""Gate a study from a notebook, without an output folder."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from il2cyto.steps.gate import gate_records
from il2cyto.steps.learn import learn_study
from il2cyto.steps.run import make_tables
from il2cyto.study.model import Study

if TYPE_CHECKING:
    from anndata import AnnData


def gate_study(study: Study, *, jobs: int = 1) -> AnnData:
    """Gate every tube of a study and return the counts per visit.

    Parameters
    ----------
    study
        A study as `read_study` returns it.
    jobs
        Processes; changes the time and nothing else.

    Returns
    -------
    AnnData
        obs = subject × visit, var = strategy/population, ``X`` = cells/µL; see `visits.build_visits`. What
        became of each tube is told in ``uns["il2cyto"]["tubes"]``, one array per column; `run_study` writes all tables.
    """
    with tempfile.TemporaryDirectory() as folder:
        study = learn_study(study, Path(folder), jobs=jobs)
        outcomes = gate_records(study.records, Path(folder), jobs=jobs)
        tables, _ = make_tables(study, outcomes, Path(folder))
    return tables.visits
