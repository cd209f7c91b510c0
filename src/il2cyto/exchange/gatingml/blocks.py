"""What Gating-ML 2.0 has no words for, written into blocks beside the gates."""

from __future__ import annotations

from lxml import etree

from il2cyto.exchange.gatingml.axes import AxisWriter
from il2cyto.exchange.gatingml.elements import custom_block, number, put
from il2cyto.gates import Dimension, Ratio


class BlockWriter(AxisWriter):
    """Writes names, definitions, roles and views into ``custom_info``, beside the blocks of other programs."""

    def tell(self, i: int, element: etree._Element, *, quadrant: bool = False) -> None:
        """Write beside a gate what the standard has no words for, and what other programs had written there."""
        population, path = self.strategy.populations[i], self.strategy.paths[i]
        block = custom_block(element, kept) if (kept := self.strategy.custom_info.get(path, ())) else None
        told = {
            "name": population.name if population.name != self.gate_ids[i] else None,
            "definition": population.definition or None,
            "role": population.role or None,
        }
        if not population.view and not any(told.values()):
            return
        block = custom_block(element, ()) if block is None else block
        own = put(block, "il2cyto:population", id=self.gate_ids[i] if quadrant else None, **told)
        for dimension in population.view:
            self._view(i, own, dimension)

    def _view(self, i: int, parent: etree._Element, dimension: Dimension) -> None:
        source = dimension.source
        named: dict[str, str | None] = {}
        if isinstance(source, Ratio):
            two = [self.names.dimension(i, Dimension(x)) for x in (source.numerator, source.denominator)]
            named = {"name": str(two[0].source), "denominator": str(two[1].source)}
            named |= {key: number(getattr(source, key)) for key in "ABC"}
            compensation = dimension.compensation
        else:
            plain = self.names.dimension(i, dimension)
            named, compensation = {"name": str(plain.source)}, plain.compensation
        put(
            parent, "il2cyto:view", **named, compensation=self.matrices.get(compensation, compensation),
            transform=None if dimension.transform is None else self._shown(dimension.transform),
        )  # fmt: skip

    def _shown(self, key: str) -> str:
        """Id by which a transform of pictures is found again."""
        return self.transforms.get(self.strategy.transforms[key], key)

    def own_block(self, block: etree._Element) -> None:
        strategy = self.strategy
        own = put(
            block, "il2cyto:strategy", id=strategy.id, version=strategy.version,
            description=strategy.description or None, without_matrix=strategy.without_matrix,
        )  # fmt: skip
        shown = {d.transform for p in strategy.populations for d in p.view} | set(strategy.axes.values())
        for key, transform in strategy.transforms.items():
            if key in shown and transform not in self.transforms:
                content = {name: str(value) for name, value in transform.to_dict().items()}
                put(own, "il2cyto:transform", id=key, **content)
        for label, key in strategy.axes.items():
            if key in strategy.transforms:
                put(own, "il2cyto:axis", name=self.names.label(label), transform=self._shown(key))
