"""Absolute counts: cells/µL by four routes, their errors, and the counts table."""

from il2cyto.counts.absolute import AbsoluteCount, chained, from_alc, from_beads, from_volume
from il2cyto.counts.table import COUNT_COLUMNS, count_table
from il2cyto.counts.wide import visit_rows, wide_table

__all__ = [
    "COUNT_COLUMNS",
    "AbsoluteCount",
    "chained",
    "count_table",
    "from_alc",
    "from_beads",
    "from_volume",
    "visit_rows",
    "wide_table",
]
