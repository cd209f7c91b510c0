"""The methods by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from il2cyto.autogate.estimate import Method
from il2cyto.autogate.interval import interval
from il2cyto.autogate.jointly import jointly
from il2cyto.autogate.mixture import anchored, mixture
from il2cyto.autogate.polygons import diagonal, lymphocytes, mixture2d
from il2cyto.autogate.singlets import singlets
from il2cyto.autogate.tail import quantile, tail
from il2cyto.autogate.valley import valley

#: Methods of a cut, of a polygon and of a range.
METHODS: Final[MappingProxyType[str, Method]] = MappingProxyType(
    {
        "valley": valley,
        "tail": tail,
        "quantile": quantile,
        "mixture": mixture,
        "anchored": anchored,
        "jointly": jointly,
        "singlets": singlets,
        "lymphocytes": lymphocytes,
        "mixture2d": mixture2d,
        "diagonal": diagonal,
        "interval": interval,
    }
)
#: Methods that need every kind of tube of the rule's sources at once, not the first that suffices.
ALL_SOURCES: Final = frozenset({"anchored"})
