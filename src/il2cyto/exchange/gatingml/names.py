"""Markers as the channels that carry them."""

from __future__ import annotations

from il2cyto.errors import GatingMLError
from il2cyto.gates import UNCOMPENSATED, Dimension
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.panel import ABSENT, Panel
from il2cyto.sample import Sample


class Names:
    """Resolves the names of a strategy by its panel, with the help of a file where the panel goes by labels."""

    def __init__(self, strategy: GatingStrategy, panel: Panel | None, sample: Sample | None) -> None:
        self.strategy, self.sample = strategy, sample
        self.panel = panel or (sample.panel if sample is not None else None) or strategy.panel

    def channel(self, name: str) -> str | None:
        """Return the ``$PnN`` of a marker, a name that is no marker as it is, or ``None`` for a marker without one."""
        if self.panel is None or name not in self.panel.markers:
            return name
        if self.sample is not None:
            found = self.panel.locate(name, self.sample.names, [channel.pns for channel in self.sample.channels])
            return None if found is None else self.sample.names[found]
        channel = self.panel.markers[name].channel
        return None if channel in ("", ABSENT) else channel

    def label(self, name: str) -> str:
        """Return the channel of a marker, or the name as it is where there is none."""
        return self.channel(name) or name

    def dimension(self, population: int, dimension: Dimension) -> Dimension:
        """Return a dimension as the standard names it: by channel, or by fluorochrome where a matrix compensates it.

        Raises
        ------
        GatingMLError
            If the marker has no channel.
        """
        name = str(dimension.source)
        matrix = self.strategy.matrices.get(dimension.compensation)
        if matrix is not None and name in matrix.fluorochromes:
            return dimension
        channel = self.channel(name)
        if channel is None:
            raise GatingMLError(
                "population {path!r}: the panel gives no channel for marker {marker!r}; write the file with a panel "
                "or a sample that has it",
                path=self.strategy.paths[population], marker=name,
            )  # fmt: skip
        if matrix is None:
            return Dimension(channel, dimension.compensation, dimension.transform)
        if channel in matrix.detectors and len(matrix.detectors) == len(matrix.fluorochromes):
            fluorochrome = matrix.fluorochromes[matrix.detectors.index(channel)]
            return Dimension(fluorochrome, dimension.compensation, dimension.transform)
        # a matrix does not change what it does not hold
        return Dimension(channel, UNCOMPENSATED, dimension.transform)
