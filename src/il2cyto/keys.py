"""Names that several floors share: columns of tables, layers, statuses."""

from __future__ import annotations

from typing import Final

#: The population that holds every event of a data set.
ROOT: Final = "root"

#: Statuses of a population in a tube.
ESTIMATED: Final = "estimated"
NOT_ESTIMABLE: Final = "not_estimable"

#: Routes from events to cells/µL.
ROUTES: Final = ("beads", "volumetric", "dual", "chained", "none")
