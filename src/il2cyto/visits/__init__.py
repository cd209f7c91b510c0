"""Subject × visit: counts of the trial as AnnData."""

from il2cyto.visits.build import build_visits
from il2cyto.visits.check import STATUS_CODES, check_visits
from il2cyto.visits.files import read_visits, write_visits

__all__ = ["STATUS_CODES", "build_visits", "check_visits", "read_visits", "write_visits"]
