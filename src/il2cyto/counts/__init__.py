"""Absolute counts: cells/µL by four routes, their errors, and the counts table."""

from il2cyto.counts.absolute import AbsoluteCount, chained, from_alc, from_beads, from_volume
from il2cyto.counts.change import Change, Measured, difference_to_baseline, ratio_to_baseline
from il2cyto.counts.checks import CHECK_COLUMNS, add_check_flags, add_tube_flags, check_counts
from il2cyto.counts.gates import GATE_COLUMNS, with_gates
from il2cyto.counts.table import COUNT_COLUMNS, count_table
from il2cyto.counts.trial import trial_table
from il2cyto.counts.wide import visit_rows, wide_table

__all__ = [
    "CHECK_COLUMNS",
    "COUNT_COLUMNS",
    "GATE_COLUMNS",
    "AbsoluteCount",
    "Change",
    "Measured",
    "add_check_flags",
    "add_tube_flags",
    "chained",
    "check_counts",
    "count_table",
    "difference_to_baseline",
    "from_alc",
    "from_beads",
    "from_volume",
    "ratio_to_baseline",
    "trial_table",
    "visit_rows",
    "wide_table",
    "with_gates",
]
