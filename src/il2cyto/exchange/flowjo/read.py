"""Read a workspace of FlowJo 10."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from lxml import etree

from il2cyto.errors import Il2CytoError, StrategyError
from il2cyto.exchange.flowjo.axes import read_axes
from il2cyto.exchange.flowjo.channels import Channels
from il2cyto.exchange.flowjo.matrices import Compensation, make_compensation, read_compensation, shared_matrices
from il2cyto.exchange.flowjo.model import Workspace, WorkspaceSample
from il2cyto.exchange.flowjo.populations import read_tree
from il2cyto.exchange.flowjo.recognise import recognise, refuse
from il2cyto.exchange.flowjo.shapes import Binning, ShapeReader
from il2cyto.exchange.xml import attribute, children, local, parse_xml
from il2cyto.gating.strategy import GatingStrategy


def read_workspace(path: str | Path, *, binning: Binning = "exact", name: str | None = None) -> Workspace:
    """Read a ``.wsp`` of FlowJo 10, from Windows or a Mac.

    Each sample keeps its own tree, which in FlowJo may differ from that of its groups, with its own axes and matrix.
    Gates that cannot be taken over, on derived parameters for example, become populations that are not estimable, with
    the reason.

    Parameters
    ----------
    path
        The file.
    binning
        ``exact`` gates the values themselves; ``flowjo`` gates polygons and ellipses on the channels of the display, as
        FlowJo does (see `BinnedPolygonGate`). Rectangles, ranges and quadrants are the same in both.
    name
        Id of the strategies; by default the file's name.

    Raises
    ------
    StrategyError
        If the file is no workspace of FlowJo 10, is unsafe, or does not hold together; names the line.
    """
    path = Path(path)
    root = parse_xml(path)
    kind = recognise(root)
    if kind == "flowjo7":
        raise refuse(path.name)
    if kind != "flowjo":
        raise StrategyError(
            "{strategy_file}: the root is {found!r}{hint}, wanted a Workspace of FlowJo 10",
            strategy_file=path.name, found=local(root), hint=" of FlowJo 9 or earlier" if kind == "flowjo9" else "",
        )  # fmt: skip
    return _Reader(path.name, root, binning, name or path.stem).workspace()


class _Reader:
    def __init__(self, file: str, root: etree._Element, binning: Binning, strategy: str) -> None:
        self.file, self.root, self.binning, self.strategy = file, root, binning, strategy
        self.shared = shared_matrices(root)
        self.version = attribute(root, "flowJoVersion") or "10"
        self.notices: list[str] = []

    def workspace(self) -> Workspace:
        members = self.members()
        samples: list[WorkspaceSample] = []
        ids: dict[str, str] = {}
        for part in children(self.root, "SampleList"):
            for element in children(part, "Sample"):
                sample_id, sample = self.sample(element, members)
                if sample is not None:
                    samples.append(sample)
                    ids[sample_id] = sample.name
        groups = {}
        for group, references in members.items():
            absent = [reference for reference in references if reference not in ids]
            if absent:
                self.notices.append(f"group {group!r} lists {len(absent)} samples that the workspace does not hold")
            groups[group] = tuple(dict.fromkeys(ids[reference] for reference in references if reference in ids))
        return Workspace(self.file, self.version, tuple(samples), groups, tuple(self.notices))

    def members(self) -> dict[str, list[str]]:
        """Ids of the samples of each group."""
        found: dict[str, list[str]] = {}
        for part in children(self.root, "Groups"):
            for node in children(part, "GroupNode"):
                references = [
                    attribute(reference, "sampleID") or ""
                    for group in children(node, "Group")
                    for listed in children(group, "SampleRefs")
                    for reference in children(listed, "SampleRef")
                ]
                found[attribute(node, "name") or "unnamed"] = references
        return found

    def sample(self, element: etree._Element, members: Mapping[str, list[str]]) -> tuple[str, WorkspaceSample | None]:
        data = next(children(element, "DataSet"), None)
        node = next(children(element, "SampleNode"), None)
        if node is None:
            self.notices.append(f"line {element.sourceline}: a sample has no tree and is left out")
            return "", None
        keywords = {
            attribute(keyword, "name") or "": attribute(keyword, "value") or ""
            for listed in children(element, "Keywords")
            for keyword in children(listed, "Keyword")
        }
        uri = (attribute(data, "uri") or "") if data is not None else ""
        sample_id = attribute(node, "sampleID") or (attribute(data, "sampleID") if data is not None else "") or ""
        loaded = base_name(unquote(uri))
        name = attribute(node, "name") or loaded or keywords.get("$FIL", "")
        if not name:
            raise StrategyError(
                "{strategy_file}, line {line}: a sample has neither a name nor a file",
                strategy_file=self.file, line=node.sourceline,
            )  # fmt: skip
        files = (base_name(name), loaded, base_name(keywords.get("$FIL", "").strip()))
        count = (attribute(node, "count") or "").strip()
        strategy, counts = self.tree(element, node, keywords, name)
        return sample_id, WorkspaceSample(
            name=name,
            files=tuple(dict.fromkeys(file for file in files if file)),
            uri=uri,
            groups=tuple(group for group, ids in members.items() if sample_id in ids),
            n_events=int(count) if count.isdigit() else None,
            channels=labels(keywords),
            strategy=strategy,
            counts=counts,
        )

    def tree(
        self, element: etree._Element, node: etree._Element, keywords: dict[str, str], name: str
    ) -> tuple[GatingStrategy, dict[str, int | None]]:
        channels = channels_of(element, keywords)
        shapes = ShapeReader(
            channels,
            read_axes(next(children(element, "Transformations"), None)),
            self.compensation(element, channels, name),
            self.binning,
        )
        tree = read_tree(node, shapes, self.file)
        used = {
            dimension.compensation for p in tree.populations for dimension in (*p.gate.dimensions, *p.view)
        }  # fmt: skip
        matrix = shapes.compensation.matrix if shapes.compensation is not None else None
        try:
            strategy = GatingStrategy(
                self.strategy,
                tree.populations,
                shapes.used,
                {matrix.id: matrix} if matrix is not None and matrix.id in used else {},
                version=f"FlowJo {self.version}",
                notes=tree.notes,
            )
        except Il2CytoError as error:
            raise StrategyError(
                "{strategy_file}: sample {found!r}: {error}", strategy_file=self.file, found=name, error=error
            ) from error
        return strategy, tree.counts

    def compensation(self, element: etree._Element, channels: Channels, name: str) -> Compensation | None:
        found = read_compensation(element, self.shared, channels.name, self.file)
        if found is not None or len(self.shared) != 1 or any(True for _ in children(element, "spilloverMatrix")):
            return found
        # files of other programs hold one matrix for all and do not say so at each sample
        (shared,) = self.shared.values()
        compensation = make_compensation(shared, channels.name)
        if compensation.prefix or compensation.suffix:
            self.notices.append(f"sample {name!r} names no matrix; the only one of the workspace is taken")
            return compensation
        return None


def channels_of(element: etree._Element, keywords: Mapping[str, str]) -> Channels:
    """Return the channels that the keywords of a sample name, and what FlowJo derived below its element."""
    derived = {
        attribute(parameter, "name") or ""
        for parameter in element.iter()
        if isinstance(parameter.tag, str) and local(parameter) == "DerivedParameter"
    }
    return Channels(tuple(labels(keywords)), frozenset(derived))


def labels(keywords: Mapping[str, str]) -> dict[str, str]:
    """Return ``$PnS`` by ``$PnN`` of the channels in the file.

    Examples
    --------
    >>> labels({"$PAR": "1", "$P1N": "FL1-A", "$P1S": "CD3 ", "$P2N": "Comp-FL1-A"})
    {'FL1-A': 'CD3'}
    """
    last = keywords.get("$PAR", "").strip()
    found = {}
    for number in range(1, (int(last) if last.isdecimal() else len(keywords)) + 1):
        name = keywords.get(f"$P{number}N", "").strip()
        if not name:
            break
        found[name] = keywords.get(f"$P{number}S", "").strip()
    return found


def base_name(path: str) -> str:
    """Return the last part of a path of Windows or Unix.

    Examples
    --------
    >>> base_name("C:\\\\data\\\\a b.fcs"), base_name("file:/Volumes/x/c.fcs")
    ('a b.fcs', 'c.fcs')
    """
    return PurePosixPath(path.replace("\\", "/")).name
