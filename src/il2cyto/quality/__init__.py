"""How good one tube is: flow, signal over time, margins, doublets, debris, compensation, settings, and a verdict."""

from il2cyto.quality.compensation import Doubt, Plausibility, judge_compensation
from il2cyto.quality.margins import Margins, find_margins
from il2cyto.quality.settings import differing_settings
from il2cyto.quality.size import debris_share, doublet_share
from il2cyto.quality.stability import Fault, Stability, find_instability
from il2cyto.quality.verdict import Verdict, join_verdicts, judge_tube

__all__ = [
    "Doubt",
    "Fault",
    "Margins",
    "Plausibility",
    "Stability",
    "Verdict",
    "debris_share",
    "differing_settings",
    "doublet_share",
    "find_instability",
    "find_margins",
    "join_verdicts",
    "judge_compensation",
    "judge_tube",
]
