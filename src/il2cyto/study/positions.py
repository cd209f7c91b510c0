"""YAML 1.2 as a tree of scalars, lists and mappings that know their lines.

The tree is built from the events of the parser and not from its constructed objects: every scalar keeps the text that
the person wrote (``001`` stays ``001``, ``NO`` stays ``NO``), duplicate keys are all found at once, and anchors,
aliases and tags are refused before anything is built from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from il2cyto.study.findings import Findings, shorten

#: Limits of a document that a person wrote. A parser's time grows with depth times length.
MAX_BYTES = 1_000_000
MAX_DEPTH = 12
MAX_NODES = 20_000


@dataclass(frozen=True)
class Scalar:
    """A single value: its text as written, and whether it stood without quotes."""

    line: int
    text: str
    plain: bool = True

    @property
    def null(self) -> bool:
        """Whether this is the null of YAML 1.2: an empty value, ``~`` or ``null``."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass
class Sequence:
    """A list of nodes."""

    line: int
    items: list[Node] = field(default_factory=list)


@dataclass
class Mapping:
    """Nodes by key, with the line of each key, in the order of the file."""

    line: int
    entries: dict[str, Node] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


Node: TypeAlias = Scalar | Sequence | Mapping


class _RefusedError(Exception):
    """Reading stops here; the problem has been recorded."""


def read_tree(content: bytes, file: str, findings: Findings) -> Node | None:
    """Read one YAML document; every fault goes to `findings`.

    Parameters
    ----------
    content
        Bytes of the file, UTF-8 with or without a byte order mark.
    file
        Its name, for messages.
    findings
        Receives syntax errors, duplicate keys, anchors, aliases, tags and second documents.

    Returns
    -------
    Scalar, Sequence, Mapping or None
        The tree, or ``None`` when the syntax is broken or the document is empty.

    Examples
    --------
    >>> found = Findings()
    >>> tree = read_tree(b"study: DEMO\\nstudy: OTHER\\n", "study.yaml", found)
    >>> tree.entries["study"].text, found.problems[0].line
    ('DEMO', 2)
    """
    if len(content) > MAX_BYTES:
        findings.problem(file, None, "", "", f"the file is larger than {MAX_BYTES:,} bytes; keep tables in the sheets")
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        findings.problem(file, line, "", "", "the file is not UTF-8; save it as UTF-8")
        return None
    try:
        return _Builder(file, findings).build(_events(text, file, findings))
    except _RefusedError:
        return None


def _events(text: str, file: str, findings: Findings) -> Iterator[Event]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(str(part) for part in (error.context, error.problem) if part)
        findings.problem(file, mark.line + 1 if mark else None, "", "", f"this is no YAML 1.2: {said}")
        raise _RefusedError from error
    except Exception as error:  # the parser is not ours and its input may be hostile: whatever it raises is one problem
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        findings.problem(file, None, "", "", f"this is no YAML 1.2: {said}")
        raise _RefusedError from error


class _Builder:
    """Put the events of one document together."""

    def __init__(self, file: str, findings: Findings) -> None:
        self.file = file
        self.findings = findings
        self.root: Node | None = None
        # open collections, each with the key that waits for its value (mappings only)
        self.stack: list[tuple[Sequence | Mapping, Scalar | None]] = []

    def build(self, events: Iterator[Event]) -> Node | None:
        nodes = documents = 0
        for event in events:
            line = event.start_mark.line + 1
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop(line, "a second document begins here; keep one study in one file")
                if event.version not in (None, (1, 2)):
                    self._report(line, "the file is read as YAML 1.2; remove the %YAML line")
            elif isinstance(event, CollectionEndEvent):
                self._place(self.stack.pop()[0])
            elif isinstance(event, NodeEvent):
                nodes += 1
                if nodes > MAX_NODES:
                    self._stop(line, f"more than {MAX_NODES:,} values; keep tables in the sheets")
                self._open(event, line)
        return self.root

    def _open(self, event: NodeEvent, line: int) -> None:
        if isinstance(event, AliasEvent):
            self._report(line, f"aliases are not read; write the value out in place of *{shorten(str(event.anchor))}")
            self._place(Scalar(line, ""))
            return
        if event.anchor is not None:
            self._report(line, f"anchors are not read; remove &{shorten(event.anchor)}")
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.ctag is not None:
            self._report(line, f"tags are not read; remove {shorten(str(event.tag or '!'))}")
        if isinstance(event, ScalarEvent):
            # an empty value is placed by the parser after the blanks and comments that follow it
            line = min(line, self._line_of_key(line)) if event.value == "" else line
            self._place(Scalar(line, event.value, plain=event.style is None))
        elif isinstance(event, CollectionStartEvent):
            if len(self.stack) >= MAX_DEPTH:
                self._stop(line, f"values are nested deeper than {MAX_DEPTH} levels")
            self.stack.append((Mapping(line) if isinstance(event, MappingStartEvent) else Sequence(line), None))

    def _place(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        parent, key = self.stack[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif key is None:
            if not isinstance(node, Scalar):
                self._report(node.line, "a key must be a single word")
                node = Scalar(node.line, "")
            self.stack[-1] = (parent, node)
        else:
            self.stack[-1] = (parent, None)
            if key.text in parent.entries:
                first = parent.lines[key.text]
                self._report(
                    key.line, f"key {shorten(key.text)!r} stands twice (first in line {first}); keep one of them"
                )
            else:
                parent.entries[key.text] = node
                parent.lines[key.text] = key.line

    def _line_of_key(self, line: int) -> int:
        key = self.stack[-1][1] if self.stack else None
        return key.line if key is not None else line

    def _report(self, line: int, message: str) -> None:
        self.findings.problem(self.file, line, "", "", message)

    def _stop(self, line: int, message: str) -> None:
        self._report(line, message)
        raise _RefusedError
