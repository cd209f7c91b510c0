"""Strategies with their files as a FlowJo 10 workspace."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lxml import etree

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import StrategyError
from il2cyto.exchange.gatingml.elements import number, put
from il2cyto.exchange.gatingml.lexical import DATATYPES, GATING, TRANSFORMS
from il2cyto.exchange.losses import rules_left_out
from il2cyto.exchange.sets import StrategySet
from il2cyto.exchange.to_flowjo.parameters import PREFIX, Parameters, shown_name
from il2cyto.exchange.to_flowjo.trees import TreeWriter
from il2cyto.fcs import read_fcs
from il2cyto.gating.result import GatingResult
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.panel import Panel
from il2cyto.provenance import write_bytes

#: The version of FlowJo whose structure the file has.
_VERSION = "10.6.2"


@dataclass(frozen=True)
class _Tube:
    """One file, gated."""

    number: int
    name: str
    uri: str
    result: GatingResult
    parameters: Parameters
    own: bool


def write_workspace(
    strategies: GatingStrategy | StrategySet,
    files: Sequence[str | Path],
    path: str | Path,
    *,
    panel: Panel | None = None,
    group: str = "il2cyto",
) -> tuple[str, ...]:
    """Write a workspace that FlowJo 10 can open: each file with its gates, axes and matrix.

    Files are gated to write their counts, which FlowJo shows until it counts itself. Gates of the default strategy
    belong to `group`; those of a file of its own belong to that sample alone. The structure is that of workspaces which
    FlowJo 10 wrote. It has been read back by other programs, never by FlowJo. Like theirs, the file holds the keywords
    of the FCS files, so it identifies as much as they do.

    Parameters
    ----------
    strategies
        One strategy, or a set with strategies of single files.
    files
        FCS files; their names are written relative to the workspace.
    path
        The ``.wsp``.
    panel
        Markers of the tubes, where the strategy has none.
    group
        Name of the group.

    Returns
    -------
    What was left out, for a person to read: cuts and rules for learning, and populations that are not estimable in a
    file. They name files.

    Raises
    ------
    StrategyError
        If FlowJo has no such gate or axis: a ratio, two scales on one parameter, an ellipsoid of three dimensions, two
        matrices in one sample.
    FcsError, CompensationError, PanelError
        If a file cannot be gated.
    """
    path = Path(path)
    chosen = strategies if isinstance(strategies, StrategySet) else StrategySet(strategies.id, strategies)
    if not files:
        raise StrategyError("a workspace wants at least one FCS file")
    tubes, notices = [], []
    for position, file in enumerate(map(Path, files), start=1):
        strategy = chosen.for_file(file.name)
        notices += [loss for loss in rules_left_out(strategy) if loss not in notices]
        result = strategy.apply(read_fcs(file, panel))
        left_out = [at for at, reason in zip(strategy.paths, result.reasons, strict=True) if reason]
        if left_out:
            notices.append(f"{file.name}: left out, not estimable in this file: {', '.join(left_out)}")
        parameters = Parameters(result.strategy, result.sample, tuple(not reason for reason in result.reasons))
        uri = quote(os.path.relpath(file, path.parent).replace(os.sep, "/"))
        own = chosen.default is None or strategy.content_hash != chosen.default.content_hash
        tubes.append(_Tube(position, file.name, uri, result, parameters, own))
    content = etree.tostring(_document(tubes, group), pretty_print=True, xml_declaration=True, encoding="UTF-8")
    write_bytes(path, content)
    return tuple(notices)


def _document(tubes: list[_Tube], group: str) -> etree._Element:
    root = etree.Element("Workspace", nsmap={"gating": GATING, "transforms": TRANSFORMS, "data-type": DATATYPES})
    for key, value in {"version": "20.0", "flowJoVersion": _VERSION, "curGroup": "All Samples"}.items():
        root.set(key, value)
    matrices: dict[str, tuple[str, SpilloverMatrix]] = {}
    for tube in tubes:
        if tube.parameters.matrix is not None:
            found = tube.parameters.matrix
            matrices.setdefault(found.content_hash, (f"matrix-{len(matrices) + 1}", found))
    listed = put(root, "Matrices")
    for matrix_id, matrix in matrices.values():
        _matrix(listed, matrix_id, matrix)
    groups, samples = put(root, "Groups"), put(root, "SampleList")
    template = next((tube for tube in tubes if not tube.own), None)
    _group(groups, "All Samples", tubes, None)
    last_id = _group(groups, group, tubes, template)
    for tube in tubes:
        element = put(samples, "Sample")
        put(element, "DataSet", uri=tube.uri, sampleID=str(tube.number))
        if tube.parameters.matrix is not None:
            _matrix(element, *matrices[tube.parameters.matrix.content_hash])
        axes = put(element, "Transformations")
        for name, scale in tube.parameters.axes():
            scale.write(axes, name)
        keywords = put(element, "Keywords")
        for key, value in tube.result.sample.keywords.items():
            put(keywords, "Keyword", name=_plain(key), value=_plain(value))
        node = put(
            element, "SampleNode", name=tube.name, annotation="", owningGroup="", expanded="1", sortPriority="10",
            count=str(tube.result.sample.n_events), sampleID=str(tube.number),
        )  # fmt: skip
        owner = "" if tube.own else group
        last_id = TreeWriter(tube.result, tube.parameters, owner, last_id).write(node)
    return root


def _group(parent: etree._Element, name: str, tubes: list[_Tube], template: _Tube | None) -> int:
    """Append a group with the tree of its files, if they have one, and return the last id that was used."""
    node = put(
        parent, "GroupNode", name=name, annotation="", owningGroup=name, expanded="1", sortPriority="10", count="-1"
    )
    last_id = 1000
    if template is not None:
        last_id = TreeWriter(template.result, template.parameters, name, last_id).write(node)
    group = put(
        node, "Group", name=name, live="0" if template else "1", role="ws.group.dlog.test", key="", synchronized="0"
    )
    put(group, "Criteria")
    references = put(group, "SampleRefs")
    for tube in tubes:
        put(references, "SampleRef", sampleID=str(tube.number))
    return last_id


def _matrix(parent: etree._Element, matrix_id: str, matrix: SpilloverMatrix) -> None:
    square = len(matrix.fluorochromes) == len(matrix.detectors)
    rows = [shown_name(name) for name in (matrix.detectors if square else matrix.fluorochromes)]
    columns = [shown_name(name) for name in matrix.detectors]
    spectral = {} if square else {"spectral": "1", "weightOptAlgorithmType": "OLS"}
    element = put(
        parent, "transforms:spilloverMatrix", prefix=PREFIX, name=matrix.id, editable="0", color="#c0c0c0",
        version=f"FlowJo-{_VERSION}", status="FINALIZED", transforms__id=matrix_id, suffix="", **spectral,
    )  # fmt: skip
    listed = put(element, "data-type:parameters")
    for name in rows:
        put(listed, "data-type:parameter", data_type__name=name)
    for row, values in zip(rows, matrix.values, strict=True):
        spillover = put(element, "transforms:spillover", data_type__parameter=row)
        for column, value in zip(columns, values, strict=True):
            cell = {"data_type__parameter": column, "transforms__value": number(value)}
            put(spillover, "transforms:coefficient", **cell)


def _plain(text: str) -> str:
    """Return a text without the control characters that XML cannot hold."""
    return "".join(
        c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else " " for c in text
    )
