"""Read an experiment of FACSDiva: a tree for each tube."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from il2cyto.errors import Il2CytoError, StrategyError
from il2cyto.exchange.diva.settings import Settings, number, read_settings
from il2cyto.exchange.diva.shapes import ShapeReader
from il2cyto.exchange.diva.trees import Tree, holds_gates, read_tree
from il2cyto.exchange.flowjo.model import Workspace, WorkspaceSample
from il2cyto.exchange.flowjo.read import base_name
from il2cyto.exchange.xml import attribute, child_text, children, local, parse_xml
from il2cyto.gating.strategy import GatingStrategy

NOT_COMPARED = (
    "scales, units and compensation of FACSDiva are as CytoML reads them and were not compared with FACSDiva; compare "
    "its counts with il2cyto recount"
)
UNCOMPENSATED_NOTE = "compensation is switched off in FACSDiva, so nothing is compensated"
NO_SETTINGS_NOTE = "the experiment holds no cytometer settings for these gates, so nothing is compensated"
GLOBAL_NOTE = "the gates of a global worksheet are taken, since the tube has none of its own"
EXCHANGED_NOTE = (
    "populations on {names}: experiments are known in which FACSDiva exchanges height and width of scatter. If their "
    "counts are far from FACSDiva's, exchange the names in the strategy"
)


def read_experiment(path: str | Path, *, name: str | None = None) -> Workspace:
    """Read an experiment that BD FACSDiva exported as XML.

    Each tube with a data file becomes a sample with its own tree, scales and matrix; specimens become groups. A tube
    without gates of its own takes those of the first global worksheet that has any. A file with global worksheets and
    no tubes is a template for every file. Gates whose structure is not public become populations that are not
    estimable, with the reason.

    Parameters
    ----------
    path
        The file.
    name
        Id of the strategies; by default the file's name.

    Raises
    ------
    StrategyError
        If the file is no experiment of FACSDiva, is unsafe, or does not hold together; names the line.
    """
    path = Path(path)
    root = parse_xml(path)
    if local(root) != "bdfacs":
        raise StrategyError(
            "{strategy_file}: the root is {found!r}, wanted an experiment of BD FACSDiva (bdfacs)",
            strategy_file=path.name, found=local(root),
        )  # fmt: skip
    return _Reader(path.name, root, name or path.stem).workspace()


@dataclass(frozen=True)
class _Sheet:
    name: str
    gates: etree._Element
    settings: Settings


class _Reader:
    def __init__(self, file: str, root: etree._Element, strategy: str) -> None:
        self.file, self.root, self.strategy = file, root, strategy
        self.version = (attribute(root, "version") or "").removeprefix("Version").strip() or "of unknown version"
        self.notices: list[str] = []

    def workspace(self) -> Workspace:
        samples: list[WorkspaceSample] = []
        groups: dict[str, list[str]] = {}
        default: GatingStrategy | None = None
        # a template that was exported alone stands at the top
        sheets = [*self.sheets(self.root, Settings())]
        decades = float("nan")
        tubes = 0
        for experiment in children(self.root, "experiment"):
            decades = number(child_text(experiment, "log_decades"))
            settings = read_settings(next(children(experiment, "instrument_settings"), None))
            for part in children(experiment, "acquisition_worksheets"):
                sheets += self.sheets(part, settings)
            for specimen, holder in self.specimens(experiment):
                within = _settings_of(specimen, settings)
                for tube in children(specimen, "tube"):
                    tubes += 1
                    sample = self.tube(tube, holder, within, decades, sheets)
                    if sample is not None:
                        samples.append(sample)
                        groups.setdefault(holder, []).append(sample.name)
        if len(sheets) > 1:
            names = ", ".join(repr(sheet.name) for sheet in sheets[1:])
            self.notices.append(
                f"of {len(sheets)} global worksheets with gates the first, {sheets[0].name!r}, is taken where a tube "
                f"has no gates of its own, not {names}"
            )
        if not tubes and sheets:
            sheet = sheets[0]
            default, _ = self.tree(sheet.gates, sheet.settings.of_any_file(), decades, [])
        return Workspace(
            self.file, self.version, tuple(samples),
            {group: tuple(dict.fromkeys(names)) for group, names in groups.items()},
            tuple(self.notices), "FACSDiva", default,
        )  # fmt: skip

    def sheets(self, part: etree._Element, settings: Settings) -> Iterator[_Sheet]:
        """Yield the global worksheets that hold gates."""
        for template in children(part, "worksheet_template"):
            gates = next(children(template, "gates"), None)
            if gates is not None and holds_gates(gates):
                yield _Sheet(attribute(template, "name") or "unnamed", gates, _settings_of(template, settings))

    def specimens(self, experiment: etree._Element) -> Iterator[tuple[etree._Element, str]]:
        """Yield specimens with their names; those of a plate stand in a tray."""
        for part in children(experiment, "specimen", "tray"):
            held = [part] if local(part) == "specimen" else list(children(part, "specimen"))
            for specimen in held:
                yield specimen, attribute(specimen, "name") or "unnamed"

    def tube(
        self, tube: etree._Element, specimen: str, settings: Settings, decades: float, sheets: list[_Sheet]
    ) -> WorkspaceSample | None:
        tube_name = attribute(tube, "name") or "unnamed"
        shown = f"{specimen}/{tube_name}"
        data = base_name(child_text(tube, "data_filename") or "")
        if not data:
            self.notices.append(f"tube {shown!r} has no data file and is left out")
            return None
        settings = _settings_of(tube, settings)
        gates = next(children(tube, "gates"), None)
        notes: list[str] = []
        own = gates is not None and holds_gates(gates)
        if not own and sheets:
            gates, notes = sheets[0].gates, [GLOBAL_NOTE]
        if gates is None:
            self.notices.append(f"tube {shown!r} has no gates")
            gates = etree.Element("gates")
        strategy, tree = self.tree(gates, settings, decades, notes)
        counts = dict(tree.counts) if own else dict.fromkeys(tree.counts)
        return WorkspaceSample(
            name=data,
            files=tuple(dict.fromkeys((data, f"{base_name(specimen)}_{base_name(tube_name)}.fcs"))),
            uri=data,
            groups=(specimen,),
            n_events=self.events(tube),
            channels=_labels(tube, settings),
            strategy=strategy,
            counts=counts,
        )

    def events(self, tube: etree._Element) -> int | None:
        """Events of the tube as FACSDiva counted them, whichever gates are taken."""
        for part in children(tube, "gates"):
            for gate in children(part, "gate"):
                text = child_text(gate, "num_events") or ""
                if attribute(gate, "type") == "EventSource_Classifier" and text.isdecimal() and text.isascii():
                    return int(text[:18]) or None
        return None

    def tree(
        self, gates: etree._Element, settings: Settings, decades: float, notes: list[str]
    ) -> tuple[GatingStrategy, Tree]:
        shapes = ShapeReader(settings, decades)
        tree = read_tree(gates, shapes, self.file)
        every = [NOT_COMPARED, *notes, *tree.notes]
        if not settings.enabled:
            every.append(UNCOMPENSATED_NOTE if settings.parameters else NO_SETTINGS_NOTE)
        if shapes.exchanged:
            every.append(EXCHANGED_NOTE.format(names=", ".join(sorted(shapes.exchanged))))
        matrix = settings.matrix
        used = {dimension.compensation for p in tree.populations for dimension in p.gate.dimensions}
        try:
            strategy = GatingStrategy(
                self.strategy,
                tree.populations,
                shapes.used,
                {matrix.id: matrix} if matrix is not None and matrix.id in used else {},
                version=f"FACSDiva {self.version}",
                notes=tuple(every),
            )
        except Il2CytoError as error:
            raise StrategyError(
                "{strategy_file}, line {line}: {error}", strategy_file=self.file, line=gates.sourceline, error=error
            ) from error
        return strategy, tree


def _settings_of(part: etree._Element, inherited: Settings) -> Settings:
    """Settings of a tube, or else of what holds it."""
    own = next(children(part, "instrument_settings"), None)
    return inherited if own is None else read_settings(own)


def _labels(tube: etree._Element, settings: Settings) -> dict[str, str]:
    """Label of each parameter; FACSDiva labels fluorochromes, and their parameters are called by them."""
    labels = {
        attribute(item, "name") or "": child_text(item, "label") or ""
        for part in children(tube, "labels")
        for item in children(part, "fl")
    }
    return {name: labels.get(name.rpartition("-")[0], "") for name in settings.parameters}
