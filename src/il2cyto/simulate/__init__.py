"""A seeded simulator of a small trial whose truth is known: cells, tubes, FCS files and study sheets."""

from __future__ import annotations

from il2cyto.simulate.design import DEMO, VISITS, WHOLE, TrialDesign
from il2cyto.simulate.panels import PANELS
from il2cyto.simulate.plan import TrialPlan, plan_trial
from il2cyto.simulate.populations import POPULATIONS, population_path
from il2cyto.simulate.trial import SimulatedTrial, WrittenTube, simulate_trial, write_tube
from il2cyto.simulate.tube import SimulatedTube, TubeSpec, simulate_tube

__all__ = [
    "DEMO",
    "PANELS",
    "POPULATIONS",
    "VISITS",
    "WHOLE",
    "SimulatedTrial",
    "SimulatedTube",
    "TrialDesign",
    "TrialPlan",
    "TubeSpec",
    "WrittenTube",
    "plan_trial",
    "population_path",
    "simulate_trial",
    "simulate_tube",
    "write_tube",
]
