"""Read a workspace of FlowJo 9 for the Mac."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from il2cyto.errors import Il2CytoError, StrategyError
from il2cyto.exchange.flowjo.model import Workspace, WorkspaceSample
from il2cyto.exchange.flowjo.read import base_name, channels_of, labels
from il2cyto.exchange.flowjo.recognise import recognise
from il2cyto.exchange.flowjo9.axes import read_axes, read_tables
from il2cyto.exchange.flowjo9.matrices import read_compensation
from il2cyto.exchange.flowjo9.populations import count_of, name_of, read_tree
from il2cyto.exchange.flowjo9.shapes import MacShapeReader
from il2cyto.exchange.xml import attribute, children, local, parse_xml
from il2cyto.gating.strategy import GatingStrategy

NOT_COMPARED = (
    "gates and scales of FlowJo 9 are as CytoML and LabKey read them and were not compared with FlowJo 9; compare its "
    "counts with il2cyto recount"
)


def read_mac_workspace(path: str | Path, *, name: str | None = None) -> Workspace:
    """Read a workspace of FlowJo 9 (``.xml``), or of an earlier one in the same structure.

    Each sample keeps its own tree with its axes and its matrix. Gates whose structure or scale is not public become
    populations that are not estimable, with the reason. All gates are counted on the values: on which channels FlowJo 9
    counted is not public.

    Parameters
    ----------
    path
        The file.
    name
        Id of the strategies; by default the file's name.

    Raises
    ------
    StrategyError
        If the file is no workspace of FlowJo for the Mac, is unsafe, or does not hold together; names the line.
    """
    path = Path(path)
    root = parse_xml(path)
    if recognise(root) != "flowjo9":
        raise StrategyError(
            "{strategy_file}: the root is {found!r}, wanted a Workspace of FlowJo 9",
            strategy_file=path.name, found=local(root),
        )  # fmt: skip
    return _Reader(path.name, root, name or path.stem).workspace()


class _Reader:
    def __init__(self, file: str, root: etree._Element, strategy: str) -> None:
        self.file, self.root, self.strategy = file, root, strategy
        self.version = attribute(root, "flowJoVersion") or "9"
        self.before_9 = first_version(attribute(root, "versionList") or self.version) < 9
        self.tables = read_tables(root)
        self.notices: list[str] = []

    def workspace(self) -> Workspace:
        members = self.members()
        samples: list[WorkspaceSample] = []
        ids: dict[str, str] = {}
        elements = list(self.samples())
        for element in elements:
            node = next(children(element, "SampleNode"), None)
            if node is None:
                self.notices.append(f"line {element.sourceline}: a sample has no tree and is left out")
                continue
            sample = self.sample(element, node, members)
            samples.append(sample)
            ids[self.id_of(element, node)] = sample.name
        if elements and not samples:
            raise StrategyError(
                "{strategy_file}: its samples hold no trees where FlowJo 9 has them; the structure of earlier versions "
                "is not public. Open it in FlowJo 10 and save it as a .wsp workspace",
                strategy_file=self.file,
            )
        groups = {}
        for group, references in members.items():
            absent = [reference for reference in references if reference not in ids]
            if absent:
                self.notices.append(f"group {group!r} lists {len(absent)} samples that the workspace does not hold")
            groups[group] = tuple(dict.fromkeys(ids[reference] for reference in references if reference in ids))
        return Workspace(self.file, self.version, tuple(samples), groups, tuple(self.notices))

    def samples(self) -> Iterator[etree._Element]:
        for part in children(self.root, "SampleList", "Samples"):
            yield from children(part, "Sample")

    @staticmethod
    def id_of(element: etree._Element, node: etree._Element) -> str:
        return attribute(element, "sampleID") or attribute(node, "sampleID") or ""

    def members(self) -> dict[str, list[str]]:
        """Ids of the samples of each group."""
        found: dict[str, list[str]] = {}
        for part in children(self.root, "Groups"):
            for node in children(part, "GroupNode"):
                found[name_of(node) or "unnamed"] = [
                    attribute(reference, "sampleID") or attribute(reference, "sampleId") or ""
                    for group in children(node, "Group")
                    for listed in children(group, "SampleRefs")
                    for reference in children(listed, "SampleRef")
                ]
        return found

    def sample(
        self, element: etree._Element, node: etree._Element, members: Mapping[str, list[str]]
    ) -> WorkspaceSample:
        keywords = {
            attribute(keyword, "name") or "": (attribute(keyword, "value") or "").strip()
            for listed in children(element, "Keywords")
            for keyword in children(listed, "Keyword")
        }
        file = base_name(keywords.get("$FIL", ""))
        name = name_of(node) or file
        if not name:
            raise StrategyError(
                "{strategy_file}, line {line}: a sample has neither a name nor a file",
                strategy_file=self.file, line=node.sourceline,
            )  # fmt: skip
        sample_id = self.id_of(element, node)
        strategy, counts = self.tree(element, node, keywords, name)
        return WorkspaceSample(
            name=name,
            files=tuple(dict.fromkeys(found for found in (base_name(unquote(name)), file) if found)),
            uri=file,
            groups=tuple(group for group, ids in members.items() if sample_id in ids),
            n_events=_events(element, node),
            channels=labels(keywords),
            strategy=strategy,
            counts=counts,
        )

    def tree(
        self, element: etree._Element, node: etree._Element, keywords: dict[str, str], name: str
    ) -> tuple[GatingStrategy, Mapping[str, int | None]]:
        channels = channels_of(element, keywords)
        compensation, matrix_name = read_compensation(element, self.root, channels.name, self.file)
        axes = read_axes(element, self.tables, compensation, matrix_name, self.before_9)
        shapes = MacShapeReader(channels, axes, compensation)
        tree = read_tree(node, shapes, self.file)
        used = {dimension.compensation for p in tree.populations for dimension in p.gate.dimensions}
        matrix = compensation.matrix if compensation is not None else None
        try:
            strategy = GatingStrategy(
                self.strategy,
                tree.populations,
                shapes.used,
                {matrix.id: matrix} if matrix is not None and matrix.id in used else {},
                version=f"FlowJo {self.version}",
                notes=(NOT_COMPARED, *tree.notes),
            )
        except Il2CytoError as error:
            raise StrategyError(
                "{strategy_file}: sample {found!r}: {error}", strategy_file=self.file, found=name, error=error
            ) from error
        return strategy, tree.counts


def _events(element: etree._Element, node: etree._Element) -> int | None:
    counted = count_of(node)
    text = (attribute(element, "eventCount") or "").strip()
    return int(text) if counted is None and text.isascii() and text.isdecimal() and len(text) < 19 else counted


def first_version(versions: str) -> int:
    """Return the earliest major version of a list, as FlowJo keeps it; 9 where there is none.

    Examples
    --------
    >>> first_version("; 9.2"), first_version("8.5.3; Pre9.0; 9.6"), first_version("")
    (9, 8, 9)
    """
    found = [int(number) for number in re.findall(r"(?:^|;)\s*(?:Pre)?\s*([0-9]{1,3})", versions)]
    return min(found, default=9)
