"""Counts and serum in one MuData, with a report of the join."""

from il2cyto.linking.join import (
    MATCHED,
    ONLY_CLINICAL,
    ONLY_COUNTS,
    ONLY_SERUM,
    TOO_FAR_APART,
    LinkResult,
    link,
    write_linked,
)

__all__ = [
    "MATCHED",
    "ONLY_CLINICAL",
    "ONLY_COUNTS",
    "ONLY_SERUM",
    "TOO_FAR_APART",
    "LinkResult",
    "link",
    "write_linked",
]
