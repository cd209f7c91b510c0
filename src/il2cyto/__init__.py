"""il2cyto: from the FCS files of an interleukin-2 trial to per-visit counts, linked to serum cytokines and modelled.

Names below are loaded when they are first used, so that ``import il2cyto`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: The public surface: name and the module that holds it.
_PUBLIC = {
    "FlowJoBiex": "il2cyto.transforms",
    "GatingResult": "il2cyto.gating",
    "GatingStrategy": "il2cyto.gating",
    "Il2CytoError": "il2cyto.errors",
    "Logicle": "il2cyto.transforms",
    "Panel": "il2cyto.panel",
    "Sample": "il2cyto.sample",
    "SpilloverMatrix": "il2cyto.compensation",
    "Study": "il2cyto.study",
    "gate_study": "il2cyto.steps.study",
    "link": "il2cyto.linking",
    "pl": "il2cyto",
    "read_fcs": "il2cyto.fcs",
    "read_gating": "il2cyto.exchange",
    "read_serum": "il2cyto.serum",
    "read_study": "il2cyto.study",
    "run_study": "il2cyto.steps.run",
    "simulate_trial": "il2cyto.simulate",
    "write_fcs": "il2cyto.fcs",
    "write_override": "il2cyto.steps.overrides",
}

__all__ = [
    "FlowJoBiex",
    "GatingResult",
    "GatingStrategy",
    "Il2CytoError",
    "Logicle",
    "Panel",
    "Sample",
    "SpilloverMatrix",
    "Study",
    "__version__",
    "gate_study",
    "link",
    "pl",
    "read_fcs",
    "read_gating",
    "read_serum",
    "read_study",
    "run_study",
    "simulate_trial",
    "write_fcs",
    "write_override",
]

if TYPE_CHECKING:
    from il2cyto import pl
    from il2cyto.compensation import SpilloverMatrix
    from il2cyto.errors import Il2CytoError
    from il2cyto.exchange import read_gating
    from il2cyto.fcs import read_fcs, write_fcs
    from il2cyto.gating import GatingResult, GatingStrategy
    from il2cyto.linking import link
    from il2cyto.panel import Panel
    from il2cyto.sample import Sample
    from il2cyto.serum import read_serum
    from il2cyto.simulate import simulate_trial
    from il2cyto.steps.overrides import write_override
    from il2cyto.steps.run import run_study
    from il2cyto.steps.study import gate_study
    from il2cyto.study import Study, read_study
    from il2cyto.transforms import FlowJoBiex, Logicle


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'il2cyto' has no attribute {name!r}")
    if name == "pl":
        return import_module("il2cyto.pl")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
