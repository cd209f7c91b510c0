"""What a run adds to ``audit.jsonl``: what went in, what came of it, and who did it when and why."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

from il2cyto import __version__
from il2cyto.errors import Il2CytoError, OutputError
from il2cyto.provenance import hash_content
from il2cyto.provenance.audit import AUDIT, AuditLog, now, who
from il2cyto.steps.cells import Cells, changes, sheet_cells
from il2cyto.steps.gates import load_strategies
from il2cyto.steps.history import FINISHED, GATES, INPUT, OVERRIDE, STARTED, TUBE, VERSION, History, seal, verb
from il2cyto.steps.words import with_public_words
from il2cyto.study.model import GateOverride, Study

logger = logging.getLogger(__name__)

#: Key of the head in ``manifest.json``.
HEAD: Final = "audit_head"
#: Failures that say nothing of the tube: the machine or the person stopped the work.
_PASSING: Final = frozenset({"WorkerDied", "MemoryError", "DiskError", "OSError", "NotGated", "not begun"})
_OVERRIDES = "overrides/"


class Trail:
    """The audit log of a results folder during a run. The caller holds the folder; workers never write here.

    A run that finds everything as it was adds nothing: its first line is written when there is something to tell.

    Parameters
    ----------
    out
        Results folder.
    user
        Who runs; see `provenance.audit.who`.
    reason
        Why, as the person says it.
    clock
        Gives the time of a line.

    Raises
    ------
    OutputError
        If the log was changed, or does not hold the head that ``manifest.json`` names.
    """

    def __init__(
        self, out: str | Path, *, user: str | None = None, reason: str | None = None, clock: Callable[[], str] = now
    ) -> None:
        self.out, self.reason = Path(out), (reason or "").strip()
        self.history = History()
        path = self.out / AUDIT
        self._log = AuditLog(path, who(user), clock=clock, told=self.history.tell)
        self._begun: dict[str, Any] | None = None
        named = manifest_head(self.out)
        if named and named not in self.history.seals:
            raise OutputError(
                f"{path}: does not hold the head that manifest.json names: its end was cut, or it is another log. Put "
                "the file back, or choose a new results folder"
            )

    @property
    def head(self) -> str:
        """Hash of the last line."""
        return self._log.head

    def begin(self, study: Study) -> None:
        """Say what the run is made of, as far as it differs from what the log knows."""
        self._begun = {"study": study.id, "il2cyto": __version__, "tubes": len(study.records)}
        if self.history.version not in (None, __version__):
            self._add(VERSION, before=self.history.version, after=__version__)
        self._inputs(with_public_words(study))
        self._overrides(study.overrides)
        self._gates(study)

    def moved(self, name: str, before: str | None, after: GateOverride) -> None:
        """Say that an override was written, between runs."""
        self._log.append(**override_entry(name, before, after))

    def tube(self, tube_id: str, failed: str = "") -> None:
        """Say what became of a tube, from its folder, if the log does not know it yet.

        Parameters
        ----------
        tube_id
            The tube.
        failed
            Kind of the error, where it failed.
        """
        after, before = tube_facts(self.out, tube_id), self.history.tubes.get(tube_id)
        if after != before:
            self._add(
                f"{TUBE} {verb(before, after, 'created', 'replaced')}",
                tube_id=tube_id, **_because(before, after, failed), before=before, after=after,
            )  # fmt: skip

    def finish(self, tube_ids: Collection[str], manifest: Mapping[str, Any]) -> str:
        """Say what became of tubes that are gone, close the run, and return the head for ``manifest.json``.

        Parameters
        ----------
        tube_ids
            Tubes of the samples sheet.
        manifest
            All of ``manifest.json`` but the head; the same for the same results, whenever and by whom they were made.
        """
        for tube_id in [*tube_ids, *[known for known in self.history.tubes if known not in tube_ids]]:
            told = manifest["tubes"].get(tube_id, {"failed": "no longer in the sheet"})
            self.tube(tube_id, str(told.get("failed", "")))
        history, digest = self.history, hash_content(dict(manifest))
        if history.finished and history.sealed == digest:
            return history.seal
        known = history.sealed == digest
        failed = [str(tube["failed"]) for tube in manifest["tubes"].values() if "failed" in tube]
        self._add(
            FINISHED,
            gated=len(manifest["tubes"]) - len(failed),
            failed=len(failed),
            complete=not _PASSING.intersection(failed),
            manifest_sha256=digest,
            base=history.sealed_base if known else history.base,
            seal=history.seal if known else seal(history.base, digest),
        )
        logger.info("audit log: %d entries, head %s", history.entries, history.head)
        return history.seal

    def _add(self, what: str, **fields: Any) -> None:
        if self._begun is not None:
            begun, self._begun = self._begun, None
            # a first line, or a new version, is told by the line that begins the run
            self._log.append(STARTED, **self._why(), **begun)
        self._log.append(what, **fields)

    def _why(self) -> dict[str, str]:
        return {"reason": self.reason} if self.reason else {}

    def _inputs(self, study: Study) -> None:
        cells = sheet_cells(study)
        now_read = {role: sha256 for role, sha256 in study.sha256.items() if not role.startswith(_OVERRIDES)}
        for role in dict.fromkeys([*self.history.inputs, *now_read]):
            before, after = self.history.inputs.get(role), now_read.get(role)
            old, new = self.history.cells.get(role), cells.get(role)
            if before != after or old != new:
                self._add(
                    f"{INPUT} {verb(before, after)}", input=role, before=before, after=after, **_sheet(role, old, new)
                )

    def _overrides(self, overrides: Collection[GateOverride]) -> None:
        read = {override.name: override for override in overrides}
        for name in dict.fromkeys([*self.history.overrides, *read]):
            before, after = self.history.overrides.get(name), read.get(name)
            if before != (after.sha256 if after else None):
                self._add(**override_entry(name, before, after))

    def _gates(self, study: Study) -> None:
        read = template_facts(study)
        for tube in dict.fromkeys([*self.history.gates, *read]):
            before, after = self.history.gates.get(tube), read.get(tube)
            if before != after:
                self._add(f"{GATES} {verb(before, after)}", tube=tube, before=before, after=after)


def override_entry(name: str, before: str | None, after: GateOverride | None) -> dict[str, Any]:
    """Return the entry of an override that was added, changed or removed.

    Parameters
    ----------
    name
        Name of its file, without ``.yaml``.
    before
        Hash of the file before, ``None`` where there was none.
    after
        The override now, ``None`` where it is gone.
    """
    entry: dict[str, Any] = {"what": f"{OVERRIDE} {verb(before, after)}", "override": name}
    if after is not None:
        entry |= {
            "reason": after.reason, "author": after.author, "moved": after.time, "level": after.level,
            "scope": list(after.scope), "populations": list(after.populations),
        }  # fmt: skip
    return {**entry, "before": before, "after": after.sha256 if after is not None else None}


def template_facts(study: Study) -> dict[str, dict[str, Any]]:
    """Return id, version and hash of the strategy of each tube type, and the hash of its panel.

    Where a type has several strategies, by file or by row, the hash is that of all of them.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for record in study.records:
        facts = found.setdefault(record.tube, {})
        key = f"{record.strategy.path} {record.panel}"
        if key in facts:
            continue
        try:
            strategies, panel = load_strategies(record.strategy.path, record.panel, record.tube)
        except Il2CytoError as error:
            facts[key] = {"strategy": None, "unread": type(error).__name__}
            continue
        trees = {name: tree.content_hash for name, tree in strategies.by_file.items()}
        first = strategies.default or next(iter(strategies.by_file.values()), None)
        panel = panel or (first.panel if first is not None else None)
        facts[key] = {
            "strategy": first.id if first is not None else None,
            "version": first.version if first is not None else None,
            "sha256": hash_content([strategies.default.content_hash if strategies.default else None, trees])
            if trees or first is None
            else first.content_hash,
            "panel_sha256": panel.content_hash if panel is not None else None,
        }
    return {tube: _together(list(facts.values())) for tube, facts in found.items()}


def _together(facts: list[dict[str, Any]]) -> dict[str, Any]:
    if len(facts) == 1:
        return facts[0]
    hashes = sorted(hash_content(one) for one in facts)
    return {**facts[0], "sha256": hash_content(hashes), "strategies": len(facts)}


def _sheet(role: str, old: Cells | None, new: Cells | None) -> dict[str, Any]:
    if new is None:
        return {}
    if old is None:
        return {"cells": new.to_json()}
    told: dict[str, Any] = {"changes": changes(role, old, new)}
    if old.withheld != new.withheld:
        told["withheld_cells"] = "changed"
    return {**told, "cells": new.to_json()}


def tube_facts(out: Path, tube_id: str) -> dict[str, Any] | None:
    """Return the key of a tube's result, the hashes of its file and of what it was made from; ``None`` without one."""
    try:
        content = (out / "tubes" / tube_id / "result.json").read_bytes()
        result = json.loads(content)
        return {
            "result": hashlib.sha256(content).hexdigest(),
            "key": str(result["key"]),
            "fcs": str(result["fcs_sha256"]),
            "strategy": str(result["strategy_sha256"]),
            "panel": result["panel_sha256"],
            "il2cyto": str(result["il2cyto"]),
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None


_BECAUSE = {"fcs": "FCS file", "strategy": "gates", "panel": "panel", "il2cyto": "il2cyto version"}


def _because(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, failed: str) -> dict[str, list[str]]:
    if before is None:
        return {}
    if after is None:
        return {"because": [failed]} if failed else {}
    found = [told for name, told in _BECAUSE.items() if before.get(name) != after.get(name)]
    other = "other parts of its key" if before.get("key") != after.get("key") else "same key, other result"
    return {"because": found or [other]}


def manifest_head(out: Path) -> str | None:
    """Return the head that ``manifest.json`` of a results folder names, or ``None``."""
    try:
        told = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    head = told.get(HEAD) if isinstance(told, dict) else None
    return head if isinstance(head, str) else None
