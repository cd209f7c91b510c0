"""A Gating-ML 2.0 file as a whole, and the strategy that it describes."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import GatingMLError, Il2CytoError
from il2cyto.exchange.gatingml.gates import GATES, GateReader
from il2cyto.exchange.gatingml.lexical import GATING, OWN, TRANSFORMS
from il2cyto.exchange.gatingml.restore import restored
from il2cyto.exchange.xml import children, local, namespace, parse_xml
from il2cyto.gates import Gate
from il2cyto.gating.strategy import GatingStrategy, Population
from il2cyto.transforms import Transform

_DEFINED = (*GATES, "transformation", "spectrumMatrix")
_CUSTOM = ("custom_info", "custom-info")  # the second is how Floreada spells it


@dataclass(frozen=True)
class Document:
    """What a Gating-ML file holds, by id: geometry of gates (quadrants under their own ids), parents, and the rest.

    Attributes
    ----------
    complements
        Gates that take the events outside.
    custom_info
        The first block of the file that belongs to no gate.
    kept
        Blocks of other programs, as XML, by id of the gate, by ``transformation id`` or ``spectrumMatrix id``, and by
        an empty key for the file.
    own
        What this program wrote into the blocks, by id of the gate and by an empty key.
    notes
        What a person should know before using the gates.
    """

    name: str
    gates: dict[str, Gate]
    parents: dict[str, str]
    transforms: dict[str, Transform]
    matrices: dict[str, SpilloverMatrix]
    custom_info: etree._Element | None = None
    complements: frozenset[str] = frozenset()
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)
    own: dict[str, tuple[etree._Element, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_document(path: str | Path) -> Document:
    """Read a Gating-ML 2.0 file.

    Raises
    ------
    GatingMLError
        If the file is unsafe, no Gating-ML 2.0, or refers to something that it does not define.
    """
    path = Path(path)
    root = parse_xml(path)
    if local(root) != "Gating-ML" or namespace(root) != GATING:
        space = f" of {namespace(root)}" if namespace(root) else ""
        raise GatingMLError(
            "{strategy_file}: the root is {found!r}{found_space}, wanted Gating-ML of version 2.0",
            strategy_file=path.name, found=local(root), found_space=space,
        )  # fmt: skip
    return _read(path.name, root)


def read_gatingml(path: str | Path, name: str | None = None) -> GatingStrategy:
    """Read a Gating-ML 2.0 file as a strategy: one population per gate and quadrant, with the ids as names.

    A file that `il2cyto.exchange.write_gatingml` wrote gives its populations the names, definitions, roles and views
    that they had.

    Parameters
    ----------
    path
        The file.
    name
        Id of the strategy; by default the one that the file was written with, or else its name.

    Raises
    ------
    GatingMLError
        If the file is unsafe, no Gating-ML 2.0, holds no gate, or does not hold together.
    """
    path = Path(path)
    document = read_document(path)
    if not document.gates:
        raise GatingMLError("{strategy_file}: holds no gate", strategy_file=path.name)
    try:
        return restored(name, path.stem, document)
    except GatingMLError:
        raise
    except Il2CytoError as error:
        raise GatingMLError("{strategy_file}: {error}", strategy_file=document.name, error=error) from error
    except ValueError as error:
        raise GatingMLError(
            "{strategy_file}: a block of il2cyto in custom_info holds something that is no number; write the file "
            "again, or remove the block",
            strategy_file=document.name,
        ) from error  # fmt: skip


def make_strategy(name: str, populations: tuple[Population, ...], document: Document) -> GatingStrategy:
    """Put populations and the definitions of their document together."""
    try:
        return GatingStrategy(
            name,
            populations,
            document.transforms,
            document.matrices,
            version="Gating-ML 2.0",
            without_matrix="uncompensated",
            notes=document.notes,
        )
    except Il2CytoError as error:
        raise GatingMLError("{strategy_file}: {error}", strategy_file=document.name, error=error) from error


def _read(name: str, root: etree._Element) -> Document:
    custom: etree._Element | None = None
    elements: list[etree._Element] = []
    # gates may stand inside foreign wrappers, but never inside the custom block of another program
    waiting = [root]
    unknown: list[etree._Element] = []
    while waiting:
        for element in children(waiting.pop(0)):
            if local(element) in _CUSTOM:
                custom = element if custom is None else custom
            elif namespace(element) in (GATING, TRANSFORMS) and local(element) in _DEFINED:
                elements.append(element)
            else:
                unknown += [element] if namespace(element) in (GATING, TRANSFORMS) else []
                waiting.append(element)
    reader = GateReader(name)
    for element in elements:
        if local(element) == "transformation":
            reader.transformation(element)
        elif local(element) == "spectrumMatrix":
            reader.matrix(element)
    for element in elements:
        if local(element) in GATES:
            reader.gate(element)
    reader.check_references()
    kept: dict[str, tuple[str, ...]] = {}
    own: dict[str, tuple[etree._Element, ...]] = {}
    for key, block in _blocks(reader, root, elements):
        own[key] = (*own.get(key, ()), *(child for child in children(block) if namespace(child) == OWN))
        foreign = deepcopy(block)
        for child in [child for child in children(foreign) if namespace(child) == OWN]:
            foreign.remove(child)
        foreign.tail = None
        if len(foreign) or (foreign.text or "").strip():
            kept[key] = (*kept.get(key, ()), etree.tostring(foreign, encoding="unicode"))
    return Document(
        name, reader.gates, reader.parents, reader.transforms, reader.matrices, custom,
        frozenset(reader.complements), kept, own, (*_left_out(unknown), *_notes(reader)),
    )  # fmt: skip


def _blocks(
    reader: GateReader, root: etree._Element, elements: list[etree._Element]
) -> Iterator[tuple[str, etree._Element]]:
    """Yield the custom blocks of a file with the key of what they belong to."""
    for block in children(root, *_CUSTOM):
        yield "", block
    for element in elements:
        kind, name = local(element), reader.identifier(element)
        # what stands in a quadrant gate is kept with its first quadrant, since the gate itself is no population
        key = reader.quadrants[name][0] if kind == "QuadrantGate" else name if kind in GATES else f"{kind} {name}"
        inside = [element, *(children(element) if kind == "transformation" else ())]
        for part in inside:
            for block in children(part, *_CUSTOM):
                yield key, block


def _left_out(unknown: list[etree._Element]) -> tuple[str, ...]:
    if not unknown:
        return ()
    # names of elements stay out: results carry the notes
    lines = ", ".join(str(element.sourceline) for element in unknown[:5]) + (", …" if len(unknown) > 5 else "")
    return (f"the Gating-ML file holds what version 2.0 of the standard does not know, left out here: lines {lines}",)


def _notes(reader: GateReader) -> tuple[str, ...]:
    gates = reader.without_compensation
    if not gates:
        return ()
    note = (
        f"the Gating-ML file names no compensation for {len(gates)} of {len(reader.gates)} gates, which the standard "
        "requires: dimensions called Comp-… are compensated with the matrix of each FCS file, all others are taken "
        "as they are"
    )
    if not reader.transforms:
        note += (
            "; and it holds no transformation, so the edges of polygons are straight on linear axes, whatever axes "
            "they were drawn on. FlowJo loses both when it exports gates: counts will differ; import its workspace "
            "(.wsp) instead"
        )
    return (note,)
