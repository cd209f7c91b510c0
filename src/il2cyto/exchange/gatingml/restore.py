"""What this program wrote beside the gates of a Gating-ML file, put back: names, definitions, roles, views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from il2cyto.exchange.xml import children, local
from il2cyto.gates import UNCOMPENSATED, BooleanGate, Dimension, Operand, Ratio
from il2cyto.gating.strategy import GatingStrategy, Population
from il2cyto.keys import ROOT
from il2cyto.transforms import Transform, transform_from_dict

if TYPE_CHECKING:
    from il2cyto.exchange.gatingml.document import Document


def restored(name: str | None, stem: str, document: Document) -> GatingStrategy:
    """Return the strategy of a document; gates that no block speaks of have their ids as names."""
    top = next((element for element in document.own.get("", ()) if local(element) == "strategy"), None)
    told = _told(document)
    helpers = _helpers(document)
    gates = {gate_id: gate for gate_id, gate in document.gates.items() if gate_id not in helpers}
    flipped = {whole: helper for helper, whole in helpers.items()}
    paths = _paths(document, told)
    populations = []
    for gate_id, gate in gates.items():
        shape = document.gates[flipped[gate_id]] if gate_id in flipped else gate
        if isinstance(shape, BooleanGate):
            operands = tuple(Operand(paths[operand.population], operand.complement) for operand in shape.operands)
            shape = BooleanGate(shape.operation, operands)
        block = told.get(gate_id)
        parent = document.parents.get(gate_id)
        populations.append(
            Population(
                name=_name(gate_id, told),
                parent=ROOT if parent is None else paths[parent],
                gate=shape,
                complement=(gate_id in document.complements) != (gate_id in flipped),
                definition="" if block is None else block.get("definition", ""),
                role="" if block is None else block.get("role", ""),
                view=() if block is None else tuple(_axis(axis) for axis in children(block, "view")),
            )
        )
    written = {} if top is None else {str(key): str(value) for key, value in top.attrib.items()}
    refuse = written.get("without_matrix") == "refuse"
    return GatingStrategy(
        id=name or written.get("id") or stem,
        populations=tuple(populations),
        transforms={**document.transforms, **_transforms(top, document.transforms)},
        matrices=document.matrices,
        version=written.get("version") or "Gating-ML 2.0",
        description=written.get("description", ""),
        without_matrix="refuse" if refuse else "uncompensated",
        axes={} if top is None else {axis.get("name", ""): axis.get("transform", "") for axis in children(top, "axis")},
        notes=document.notes,
        custom_info={paths.get(key, key): blocks for key, blocks in document.kept.items()},
    )


def _told(document: Document) -> dict[str, etree._Element]:
    """What the blocks tell of each population, by id of its gate or quadrant."""
    return {
        element.get("id") or gate_id: element
        for gate_id, elements in document.own.items()
        for element in elements
        if local(element) == "population"
    }


def _helpers(document: Document) -> dict[str, str]:
    """Gates that exist only to be turned round, with the id of the boolean gate that does so."""
    found = {}
    for gate_id, elements in document.own.items():
        for element in elements:
            whole = element.get("of", "")
            gate = document.gates.get(whole)
            turned = BooleanGate("not", (Operand(gate_id),))
            same = document.parents.get(whole) == document.parents.get(gate_id)
            if local(element) == "inside" and gate == turned and same:
                found[gate_id] = whole
    return found


def _paths(document: Document, told: dict[str, etree._Element]) -> dict[str, str]:
    """Path of every gate, of names as they were; ids where parents run in a circle, which the strategy will tell."""
    paths: dict[str, str] = {}
    for gate_id in document.gates:
        chain: list[str] = []
        node: str | None = gate_id
        while node is not None and node not in paths and node not in chain:
            chain.append(node)
            node = document.parents.get(node)
        if node is not None and node not in paths:
            return {key: key for key in document.gates}
        for part in reversed(chain):
            above = document.parents.get(part)
            paths[part] = _name(part, told) if above is None else f"{paths[above]}/{_name(part, told)}"
    return paths


def _name(gate_id: str, told: dict[str, etree._Element]) -> str:
    name = told[gate_id].get("name", gate_id) if gate_id in told else gate_id
    # an id like any other in the standard; here it means all events
    return f"{ROOT} gate" if name == ROOT else name


def _axis(element: etree._Element) -> Dimension:
    source: str | Ratio = element.get("name", "")
    if element.get("denominator") is not None:
        numbers = (float(element.get(key, "0")) for key in "ABC")
        source = Ratio(element.get("name", ""), element.get("denominator", ""), *numbers)
    return Dimension(source, element.get("compensation", UNCOMPENSATED), element.get("transform"))


def _transforms(top: etree._Element | None, known: dict[str, Transform]) -> dict[str, Transform]:
    """Transforms that no gate uses and Gating-ML cannot say: those of pictures."""
    found: dict[str, Transform] = {}
    for element in children(top, "transform") if top is not None else ():
        content: dict[str, object] = {
            str(key): value if key == "type" else float(value) for key, value in element.attrib.items() if key != "id"
        }
        if element.get("id", "") not in known:
            found[element.get("id", "")] = transform_from_dict(content)
    return found
