"""What an audit log says, read from its first line to its last: the state of inputs and results that it knows of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from il2cyto.provenance import hash_content
from il2cyto.provenance.chain import GENESIS, TORN, ChainError, Entry
from il2cyto.steps.cells import Cells

#: What was done, as ``what`` of an entry says it.
STARTED: Final = "run started"
FINISHED: Final = "run finished"
TUBE: Final = "tube result"
INPUT: Final = "input"
OVERRIDE: Final = "override"
GATES: Final = "strategy"
VERSION: Final = "il2cyto changed"


def verb(before: object, after: object, created: str = "added", replaced: str = "changed") -> str:
    """Return whether something was added, changed or removed, by what was before and what is after.

    Examples
    --------
    >>> verb(None, "x"), verb("x", "y"), verb("x", None), verb(None, "x", created="created")
    ('added', 'changed', 'removed', 'created')
    """
    return created if before is None else "removed" if after is None else replaced


def seal(base: str, manifest_sha256: str) -> str:
    """Return the head that ``manifest.json`` names: a chain over the results of complete runs, without time and user.

    Parameters
    ----------
    base
        Seal of the last complete run that had other results, `GENESIS` where there was none.
    manifest_sha256
        Hash of ``manifest.json`` without the head itself.
    """
    return hash_content({"base": base, "manifest": manifest_sha256})


class History:
    """Fold of the entries of a log; each entry goes to `tell` in turn.

    Attributes
    ----------
    version
        Version of il2cyto that ran last.
    inputs, overrides, gates, tubes
        Last known facts by role, name, tube type and tube id.
    cells
        Last known cells by sheet.
    head, entries, last_line
        Of the chain.
    seal, sealed, sealed_base, base
        Seal of the last finished run, the hash of its manifest, the seal that it builds on, and the seal that the next
        run builds on.
    seal_line, broken_seal
        Line of that run; line of a seal that does not follow from what it names, or 0.
    finished
        Whether the last entry finishes a run.
    torn
        Torn lines.
    """

    def __init__(self) -> None:
        self.version: str | None = None
        self.inputs: dict[str, str] = {}
        self.overrides: dict[str, str] = {}
        self.gates: dict[str, Mapping[str, Any]] = {}
        self.tubes: dict[str, Mapping[str, Any]] = {}
        self.cells: dict[str, Cells] = {}
        self.head, self.entries, self.last_line = GENESIS, 0, 0
        self.seal, self.sealed, self.sealed_base, self.base = "", "", GENESIS, GENESIS
        self.seal_line = self.broken_seal = 0
        self.seals: dict[str, int] = {}
        self.finished = True
        self.torn = 0

    def tell(self, entry: Entry) -> None:
        """Take the next entry.

        Raises
        ------
        ChainError
            If it does not say what an entry of its kind says.
        """
        try:
            self._tell(entry)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ChainError(entry.line, "it is no entry that this version of il2cyto knows") from error

    def _tell(self, entry: Entry) -> None:
        fields, what = entry.fields, str(entry.fields.get("what", ""))
        self.head, self.entries, self.last_line = entry.hash, self.entries + 1, entry.line
        self.finished = what == FINISHED
        if what == STARTED:
            self.version = fields["il2cyto"]
        elif what == FINISHED:
            self._sealed(entry)
        elif what == TORN:
            self.torn += 1
        elif what.startswith(f"{INPUT} "):
            _set(self.inputs, fields["input"], fields["after"])
            if "cells" in fields:
                self.cells[fields["input"]] = Cells.of(fields["cells"])
        elif what.startswith(f"{OVERRIDE} "):
            _set(self.overrides, fields["override"], fields["after"])
        elif what.startswith(f"{GATES} "):
            _set(self.gates, fields["tube"], fields["after"])
        elif what.startswith(f"{TUBE} "):
            _set(self.tubes, fields["tube_id"], fields["after"])

    def _sealed(self, entry: Entry) -> None:
        fields = entry.fields
        base, sealed, own = fields["base"], fields["manifest_sha256"], fields["seal"]
        again = own == self.seal and sealed == self.sealed
        if own != seal(base, sealed) or (base != self.base and not again):
            self.broken_seal = self.broken_seal or entry.line
        self.seal, self.sealed, self.sealed_base, self.seal_line = own, sealed, base, entry.line
        self.seals[own] = entry.line
        if fields["complete"]:
            self.base = own


def _set(facts: dict[str, Any], name: str, after: Any) -> None:
    if after is None:
        facts.pop(name, None)
    else:
        facts[name] = after
