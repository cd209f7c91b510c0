"""Hostile XML, read safely: no entities, no network, bounded size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from il2cyto.errors import GatingMLError

MAX_BYTES = 100_000_000

#: A document type that names the root and declares nothing, as FlowJo 9 writes it.
_BARE = re.compile(rb"<!DOCTYPE\s+[A-Za-z_][\w.-]*\s*>")


def parse_xml(path: Path) -> etree._Element:
    """Return the root of an XML file.

    Raises
    ------
    GatingMLError
        If the file cannot be read, is larger than 100 MB, declares a document type that does more than name the root
        (entities could hide in it), or is not well-formed.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise GatingMLError(
                "{strategy_file}: {size} bytes are more than any real gating file ({most})",
                strategy_file=path.name, size=size, most=MAX_BYTES,
            )  # fmt: skip
        content = path.read_bytes()
    except OSError as error:
        raise GatingMLError(
            "{strategy_file}: cannot be read ({reason})", strategy_file=path.name, reason=error.strerror
        ) from error
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise GatingMLError(
            "{strategy_file}: is not well-formed XML{hint}", strategy_file=path.name, hint=f": {error}"
        ) from error
    doctype = root.getroottree().docinfo
    if (doctype.internalDTD is not None or doctype.doctype) and not _declares_nothing(content):
        raise GatingMLError(
            "{strategy_file}: declares a document type; remove it, gating files have none", strategy_file=path.name
        )
    return root


def _declares_nothing(content: bytes) -> bool:
    """Whether every document type in a file is bare; one in an encoding that hides it from this look is not."""
    every = content.count(b"<!DOCTYPE")
    return every > 0 and every == len(_BARE.findall(content))


def local(element: etree._Element) -> str:
    """Return the tag without its namespace; empty for comments and processing instructions."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def namespace(element: etree._Element) -> str:
    """Return the namespace of the tag, or an empty string."""
    return str(etree.QName(element).namespace or "") if isinstance(element.tag, str) else ""


def attribute(element: etree._Element, name: str) -> str | None:
    """Return an attribute by its local name, whatever namespace prefix the writer gave it."""
    for key, value in element.attrib.items():
        if str(key).rpartition("}")[2] == name:
            return str(value)
    return None


def text_of(element: etree._Element) -> str:
    """Return the text of an element whatever comments stand in it."""
    return "".join([element.text or "", *(part.tail or "" for part in element)])


def children(element: etree._Element, *names: str) -> Iterator[etree._Element]:
    """Yield the child elements with these local names, all where none is given."""
    for child in element:
        name = local(child)
        if name and (not names or name in names):
            yield child


def child_text(element: etree._Element, name: str) -> str | None:
    """Return the text of the first child of this name, or ``None`` where there is none."""
    for child in children(element, name):
        return (child.text or "").strip()
    return None
