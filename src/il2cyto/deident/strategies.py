"""Gating strategies, panels and matrices of a study: geometry as it stands, names by vocabulary or pseudonym."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard

from lxml import etree
from ruamel.yaml import YAML

from il2cyto.compensation import SpilloverMatrix
from il2cyto.deident.keywords import plain_number
from il2cyto.deident.names import Names
from il2cyto.deident.tables import render_table
from il2cyto.errors import StrategyError
from il2cyto.exchange.floreada import NAMESPACE as FLOREADA
from il2cyto.exchange.xml import children, local, namespace, parse_xml
from il2cyto.gating.learning import SCOPES, SOURCES
from il2cyto.gating.overrides import FOLDER as OVERRIDES
from il2cyto.gating.vocabulary import CUT_METHODS, OPTIONS, SHAPE_METHODS
from il2cyto.panel import ABSENT, Panel
from il2cyto.study.findings import Findings
from il2cyto.study.positions import Mapping as MappingNode
from il2cyto.study.positions import Node, Scalar, Sequence, read_tree

#: Words of the format itself.
_WORDS = frozenset(
    {
        "FCS", "uncompensated", "root", "none", "true", "false", "null", "rectangle", "polygon", "ellipsoid",
        "quadrant", "boolean", "linear", "axis", "log", "logicle", "hyperlog", "arcsinh", "biex", "time_qc", "beads",
        "and", "or", "not", "", "flowjo", "exact", "flowjo_linear", "identity", "unsupported", "refuse",
        ".inf", "-.inf", "template", *SCOPES, *SOURCES, *CUT_METHODS, *SHAPE_METHODS,
    }
)  # fmt: skip
_TOP = ("strategy", "version", "compensation", "without_matrix")
_KEYS = frozenset(
    {
        "name", "parent", "definition", "role", "complement", "gate", "view", "type", "dims", "vertices", "mean",
        "covariance", "distance_square", "region", "op", "of", "marker", "channel", "ratio", "compensation",
        "transform", "units", "min", "max", "divider", "dividers", "numerator", "denominator", "A", "B", "C", "T", "W",
        "M", "length", "maximum", "negative", "width", "positive", "minimum", "binning", "channels", "reason",
        "bound_min", "bound_max", "input_min", "input_max", "quadric", "population",
        "at", "learn", "method", "scope", "from", "borrow", "min_events", "options",
    }
)  # fmt: skip
#: Options of rules, and what they may say besides names of cuts and signs of regions.
_OPTIONS = frozenset({*(name for names in OPTIONS.values() for name in names), "left", "right", "both", "bayes"})
_SIGNS = re.compile(r"[-+*]{1,40}")
#: Keys whose text is the path of a population; every other text is one name.
_PATHS = ("parent", "of", "remove", "population")
_GATING_ML = "http://www.isac-net.org/std/Gating-ML/v2.0/"
_TAGS = frozenset(
    {
        "Gating-ML", "RectangleGate", "PolygonGate", "EllipsoidGate", "BooleanGate", "QuadrantGate", "dimension",
        "divider", "fcs-dimension", "new-dimension", "vertex", "coordinate", "mean", "covarianceMatrix", "row", "entry",
        "distanceSquare", "and", "or", "not", "gateReference", "value", "Quadrant", "position", "transformation",
        "flin", "flog", "fasinh", "logicle", "hyperlog", "fratio", "spectrumMatrix", "fluorochromes", "detectors",
        "spectrum", "coefficient", "custom-info", "custom_info",
    }
)  # fmt: skip
_VENDOR_TAGS = frozenset({"workspace", "fcsfile", "gate", "pipegroup", "pipegate"})
_ATTRIBUTES = frozenset(
    {
        "id", "parent_id", "min", "max", "compensation-ref", "transformation-ref", "name", "value", "ref",
        "use-as-complement", "divider_ref", "location", "T", "W", "M", "A", "B", "C", "boundMin", "boundMax",
        "matrix-inverted-already", "eventsInside",
    }
)  # fmt: skip


def clean_strategy(path: Path, names: Names, files: Mapping[str, str]) -> dict[str, str]:
    """Return the files of a strategy as they may be seen: text by name within its new folder.

    Parameters
    ----------
    path
        Folder with ``strategy.yaml`` and its overrides, or a Gating-ML file, which is returned under the name
        ``strategy.xml``.
    names
        Pseudonyms and vocabularies.
    files
        New name of each FCS file by its old one, for workspaces that have a tree for each.

    Raises
    ------
    StrategyError, PanelError, CompensationError
        If a file cannot be read.
    """
    if path.is_file():
        return {"strategy.xml": _clean_xml(path, names, files)}
    tree = _tree((path / "strategy.yaml").read_bytes(), "strategy.yaml", path.name)
    written: dict[str, str] = {}
    content: dict[str, Any] = {key: _scalar(tree.entries[key], names) for key in _TOP if key in tree.entries}
    content |= _definitions(path, tree, names, "matrix", written)
    if "axes" in tree.entries:
        content["axes"] = {_label(k, names): _clean(node, names) for k, node in _entries(tree.entries["axes"])}
    if "cuts" in tree.entries:
        content["cuts"] = {_id(k, names): _clean(node, names) for k, node in _entries(tree.entries["cuts"])}
    if "optional" in tree.entries:
        content["optional"] = _clean(tree.entries["optional"], names)
    content["populations"] = _clean(tree.entries.get("populations", Sequence(1)), names)
    written["strategy.yaml"] = render_yaml(content)
    for number, own in enumerate(sorted((path / OVERRIDES).glob("*.yaml")), start=1):
        written |= _override(path, own, f"{OVERRIDES}/{number:02d}", names, files)
    if (path / "panel.csv").is_file():
        written["panel.csv"] = clean_panel(path / "panel.csv", names)
    return written


def clean_gates(content: bytes, names: Names) -> dict[str, Any]:
    """Return the gates of an override of a study, ``compensation`` and ``populations``: geometry as it stands.

    Raises
    ------
    StrategyError
        If it cannot be read.
    """
    tree = _tree(content, "override.yaml", "overrides")
    clean = {"compensation": _scalar(tree.entries["compensation"], names)} if "compensation" in tree.entries else {}
    return clean | {"populations": _clean(tree.entries.get("populations", Sequence(1)), names)}


def _tree(content: bytes, file: str, folder: str) -> MappingNode:
    findings = Findings()
    tree = read_tree(content, file, findings)
    if findings.problems or not isinstance(tree, MappingNode):
        raise StrategyError("{file}: {yaml} cannot be read", file=folder, yaml=file)
    return tree


def _definitions(path: Path, tree: MappingNode, names: Names, prefix: str, written: dict[str, str]) -> dict[str, Any]:
    """Matrices, which go to files of their own, and transforms."""
    content: dict[str, Any] = {}
    if "matrices" in tree.entries:
        content["matrices"] = {}
        for number, (key, node) in enumerate(_entries(tree.entries["matrices"]), start=1):
            relative = Path(node.text) if isinstance(node, Scalar) else Path("..")
            if relative.is_absolute() or ".." in relative.parts:
                raise StrategyError("{file}: a matrix must stand in the folder of the strategy", file=path.name)
            written[f"{prefix}{number}.csv"] = clean_matrix(path / relative, names)
            content["matrices"][_id(key, names)] = f"{prefix}{number}.csv"
    if "transforms" in tree.entries:
        content["transforms"] = {_id(k, names): _clean(node, names) for k, node in _entries(tree.entries["transforms"])}
    return content


def _override(folder: Path, file: Path, name: str, names: Names, files: Mapping[str, str]) -> dict[str, str]:
    """One override under a new name, for those of its files that the study has; remarks of people are left out."""
    tree = _tree(file.read_bytes(), file.name, folder.name)
    listed = tree.entries.get("files")
    texts = [item.text.strip() for item in listed.items if isinstance(item, Scalar)] if _is_list(listed) else []
    kept = [files[text] for text in texts if text in files]
    if not kept:
        return {}
    written: dict[str, str] = {}
    content: dict[str, Any] = {"files": kept}
    if "compensation" in tree.entries:
        content["compensation"] = _scalar(tree.entries["compensation"], names)
    content |= _definitions(folder, tree, names, f"{name}-matrix", written)
    for key in ("remove", "populations"):
        if key in tree.entries:
            cleaned = tree.entries[key]
            items = cleaned.items if isinstance(cleaned, Sequence) else []
            content[key] = [_clean(item, names, key) for item in items]
    written[f"{name}.yaml"] = render_yaml(content)
    return written


def _is_list(node: Node | None) -> TypeGuard[Sequence]:
    return isinstance(node, Sequence)


def clean_panel(path: Path, names: Names) -> str:
    """Return a panel file with its names cleaned.

    Raises
    ------
    PanelError
        If it cannot be read.
    """
    rows = []
    for entry in Panel.from_csv(path).entries:
        channel = entry.channel if entry.channel in ("", ABSENT) else names.channel(entry.channel)
        aliases = ";".join(names.name(alias) for alias in entry.aliases)
        rows.append((names.name(entry.marker), channel, names.name(entry.fluorochrome), aliases))
    return render_table(("marker", "channel", "fluorochrome", "aliases"), rows)


def clean_matrix(path: Path, names: Names) -> str:
    """Return a matrix file with its channel names cleaned and its numbers exact.

    Raises
    ------
    CompensationError
        If it cannot be read.
    """
    matrix = SpilloverMatrix.from_csv(path)
    detectors = tuple(map(names.channel, matrix.detectors))
    dyes = () if matrix.fluorochromes == matrix.detectors else tuple(map(names.name, matrix.fluorochromes))
    header, *rows = replace(matrix, detectors=detectors, fluorochromes=dyes).to_table()
    return render_table(header, rows)


def render_yaml(content: Mapping[str, Any]) -> str:
    """Return plain data as YAML 1.2, in the order given."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 10_000
    yaml.allow_unicode = True
    stream = io.StringIO()
    yaml.dump(dict(content), stream)
    return stream.getvalue()


def _entries(node: Node) -> list[tuple[str, Node]]:
    return list(node.entries.items()) if isinstance(node, MappingNode) else []


def _id(text: str, names: Names) -> str:
    """Return the id of a definition as references to it are cleaned."""
    return text if text in _WORDS else names.name(text)


def _label(text: str, names: Names) -> str:
    """Return the name of an axis: of a channel or marker, or of a ratio, ``a/b``."""
    if names.passes(text, "markers", "fluorochromes", "detectors", "populations") or "/" not in text:
        return names.name(text)
    first, _, second = text.partition("/")
    return f"{names.name(first)}/{names.name(second)}"


def _clean(node: Node, names: Names, key: str = "") -> Any:
    if isinstance(node, Scalar):
        return _scalar(node, names, key)
    if isinstance(node, Sequence):
        return [_clean(item, names, key) for item in node.items]
    if key == "options":
        return {_option(name, names): _option_value(child, names) for name, child in node.entries.items()}
    return {name: _clean(child, names, name) for name, child in node.entries.items() if name in _KEYS}


def _option(word: str, names: Names) -> str:
    return word if word in _OPTIONS or _SIGNS.fullmatch(word) else _id(word, names)


def _option_value(node: Node, names: Names) -> Any:
    """Return a number as it stands, and of a text each word: of the method, or the name of a cut."""
    text = node.text if isinstance(node, Scalar) else ""
    if plain_number(text.strip()) is not None:
        return _scalar(node, names)
    return " ".join(_option(word, names) for word in text.split())


def _scalar(node: Node, names: Names, key: str = "") -> Any:
    text = node.text.strip() if isinstance(node, Scalar) else ""
    if text in _WORDS:
        return {"true": True, "false": False}.get(text, text)
    number = plain_number(text)
    if number is not None:
        return (float(number) if not number.lstrip("-").isdecimal() else int(number)) if _plain(node) else text
    if key == "region" and re.fullmatch(r"[-+*0-9 ]{1,40}", text):
        return text
    if key in _PATHS:
        # an operand that is written with its key may have a name that begins so
        words = ("root/",) if key == "population" else ("not ", "root/")
        start = next((word for word in words if text.startswith(word)), "")
        return start + names.path(text.removeprefix(start).strip())
    return names.name(text)


def _plain(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain


def _clean_xml(path: Path, names: Names, files: Mapping[str, str]) -> str:
    root = parse_xml(path)
    clean = _element(root, names, files)
    if clean is None or local(clean) != "Gating-ML":
        raise StrategyError(
            "{file}: is no Gating-ML 2.0; turn a workspace of FlowJo into a folder with il2cyto convert first",
            file=path.name,
        )
    return etree.tostring(clean, xml_declaration=True, encoding="UTF-8", pretty_print=True).decode("utf-8")


def _element(element: etree._Element, names: Names, files: Mapping[str, str]) -> etree._Element | None:
    """Return a fresh element with known attributes and children, ``None`` for one that the format does not know."""
    tag, space = local(element), namespace(element)
    if not (tag in _TAGS and space.startswith(_GATING_ML)) and not (tag in _VENDOR_TAGS and space == FLOREADA):
        return None
    if space != FLOREADA and space.removeprefix(_GATING_ML) not in ("gating", "transformations", "datatypes"):
        return None
    clean = etree.Element(etree.QName(space, tag))
    for key, value in element.attrib.items():
        name = etree.QName(key)
        known = not name.namespace or str(name.namespace).removeprefix(_GATING_ML) in ("gating", "transformations",
                                                                                       "datatypes")  # fmt: skip
        if name.localname not in _ATTRIBUTES or not known:
            continue
        text = str(value).strip()
        if tag == "fcsfile":
            if text not in files:
                return None
            clean.set(key, files[text])
        else:
            clean.set(key, text if text in _WORDS else plain_number(text) or names.name(text))
    number = plain_number(element.text or "")
    if number is not None:
        clean.text = number
    for child in children(element):
        new = _element(child, names, files)
        if new is not None:
            clean.append(new)
    return clean
