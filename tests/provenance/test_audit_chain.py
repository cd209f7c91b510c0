"""An audit log keeps what was written: whatever is done to its bytes is found, and a torn line is told."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from il2cyto.errors import OutputError
from il2cyto.provenance.audit import AuditLog, who
from il2cyto.provenance.chain import GENESIS, TORN, ChainError, Entry, render, torn_facts, walk

WHATS = ("run started", "input changed", "tube result created", "run finished")


def build(n: int) -> bytes:
    lines, previous = [], GENESIS
    for number in range(1, n + 1):
        fields = {
            "time": f"2026-03-02T06:05:{number:02d}.000Z",
            "user": "安@host",
            "what": WHATS[number % 4],
            "x": number,
        }
        line, previous = render(number, fields, previous)
        lines.append(line)
    return b"".join(lines)


LOG = build(6)
LINES = LOG.splitlines(keepends=True)
HEAD = list(walk(LOG))[-1].hash


def found(content: bytes, head: str = HEAD) -> bool:
    """Whether a check finds that this is not the log whose head is known."""
    try:
        entries = list(walk(content))
    except ChainError:
        return True
    return head not in {entry.hash for entry in entries}


def test_the_log_itself_is_whole() -> None:
    assert not found(LOG)
    entries = list(walk(LOG))
    assert [entry.line for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert entries[-1].fields["user"] == "安@host"
    assert entries[-1].end == len(LOG)
    assert list(walk(b"")) == []


def test_a_line_can_be_checked_without_il2cyto() -> None:
    for line in LINES:
        body, _, rest = line.partition(b',"hash":"')
        assert hashlib.sha256(body + b"}").hexdigest() == rest[:64].decode()
    assert json.loads(LINES[2])["previous"] == json.loads(LINES[1])["hash"]


@given(st.integers(0, len(LOG) - 1), st.integers(1, 255))
def test_any_edited_byte(place: int, change: int) -> None:
    edited = bytearray(LOG)
    edited[place] ^= change
    assert found(bytes(edited))


def test_a_cut_at_every_byte() -> None:
    assert all(found(LOG[:end]) for end in range(len(LOG)))


@given(st.integers(0, 5), st.integers(0, 5))
def test_removed_duplicated_and_swapped_lines(one: int, other: int) -> None:
    assert found(b"".join(LINES[:one] + LINES[one + 1 :]))
    assert found(b"".join([*LINES[:one], LINES[other], *LINES[one:]]))
    if one != other:
        swapped = list(LINES)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        assert found(b"".join(swapped))


@given(st.integers(0, len(LOG)), st.binary(min_size=1, max_size=80))
def test_inserted_bytes(place: int, inserted: bytes) -> None:
    assert found(LOG[:place] + inserted + LOG[place:])


@given(st.integers(0, len(LOG) - 1), st.integers(1, 200))
def test_removed_bytes(place: int, length: int) -> None:
    assert found(LOG[:place] + LOG[place + length :])


@given(st.integers(1, 5), st.text(max_size=20))
def test_a_line_that_is_hashed_again_breaks_the_next(number: int, text: str) -> None:
    fields = {key: value for key, value in json.loads(LINES[number - 1]).items() if key not in ("n", "hash")}
    previous = fields.pop("previous")
    forged, _ = render(number, {**fields, "what": text}, previous)
    assume(text != TORN)
    assume(forged != LINES[number - 1])
    content = b"".join([*LINES[: number - 1], forged, *LINES[number:]])
    with pytest.raises(ChainError) as error:
        list(walk(content))
    assert error.value.line == number + 1
    assert not error.value.tail


def test_a_log_that_is_written_anew_has_another_head() -> None:
    # nothing in the file itself can show this; the head that somebody kept does
    lines, previous = [], GENESIS
    for number in range(1, 7):
        line, previous = render(number, {"what": "other"}, previous)
        lines.append(line)
    assert len(list(walk(b"".join(lines)))) == 6
    assert found(b"".join(lines))


def test_the_message_names_the_line() -> None:
    edited = LOG.replace(b'"x":3', b'"x":4')
    with pytest.raises(ChainError, match=r"^line 3: its content does not fit its hash: it was edited"):
        list(walk(edited))
    with pytest.raises(ChainError, match=r"^line 3: it is entry 4 where entry 3 belongs"):
        list(walk(b"".join(LINES[:2] + LINES[3:])))


def open_log(path: Path, **more: Any) -> AuditLog:
    return AuditLog(path, "ann@host", clock=lambda: "2026-03-02T06:05:00.000Z", **more)


def test_appending_and_going_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = open_log(path)
    assert not path.exists()
    first = log.append("run started", study="DEMO")
    log.append("run finished", tubes=3)
    told: list[Entry] = []
    again = open_log(path, told=told.append)
    assert (again.head, [entry.fields["what"] for entry in told]) == (log.head, ["run started", "run finished"])
    third = again.append("run started", study="DEMO")
    entries = list(walk(path.read_bytes()))
    assert [entry.hash for entry in entries] == [first.hash, log.head, third.hash]
    assert [list(entry.fields)[:4] for entry in entries] == [["n", "time", "user", "what"]] * 3
    assert told[-1].fields["n"] == third.fields["n"] == 3


def test_a_line_torn_at_every_byte_is_kept_and_told(tmp_path: Path) -> None:
    for kept in range(len(LINES[5]) + 1):
        check_torn(tmp_path / f"{kept}.jsonl", kept)


def check_torn(path: Path, kept: int) -> None:
    whole = b"".join(LINES[:5])
    path.write_bytes(whole + LINES[5][:kept])
    told: list[Entry] = []
    log = open_log(path, told=told.append)
    log.append("run started")
    content = path.read_bytes()
    assert content.startswith(whole + LINES[5][:kept])
    entries = list(walk(content))
    assert entries == [*list(walk(LOG))[:5], *told[5:]]
    whats = [entry.fields["what"] for entry in entries[5:]]
    last = entries[-1]
    if kept == 0:
        assert whats == ["run started"]
    elif kept == len(LINES[5]):
        assert whats == [WHATS[2], "run started"]
    elif kept == len(LINES[5]) - 1:
        assert whats == [WHATS[2], TORN, "run started"]
    else:
        assert whats == [TORN, "run started"]
        assert entries[5].fields["torn_bytes"] == kept
        # the fragment is line 6
        assert [entry.line for entry in entries[5:]] == [7, 8]
        assert torn_facts(LINES[5][:kept]).items() <= entries[5].fields.items()
        # and cannot be changed any more
        assert found(content.replace(LINES[5][:kept] + b"\n", b"x\n"), last.hash)
        assert found(content.replace(LINES[5][:kept] + b"\n", b""), last.hash)


@given(st.lists(st.integers(1, 150), min_size=1, max_size=4))
def test_torn_again_and_again(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    path = tmp_path_factory.mktemp("torn") / "audit.jsonl"
    path.write_bytes(LOG)
    for cut in cuts:
        open_log(path).append("tube result created", tube="A")
        content = path.read_bytes()
        path.write_bytes(content[: -min(cut, len(content) - len(LOG) - 1)])
    open_log(path).append("run finished")
    content = path.read_bytes()
    entries = list(walk(content))
    assert content.startswith(LOG)
    assert entries[-1].fields["what"] == "run finished"
    assert any(entry.fields["what"] == TORN for entry in entries)


def test_nothing_is_added_to_a_log_that_was_changed(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(LOG.replace(b'"x":3', b'"x":4'))
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"audit.jsonl, line 3: its content does not fit its hash"):
        open_log(path)
    assert path.read_bytes() == before
    # the last line too, which could otherwise pass for a torn one
    path.write_bytes(LOG.replace(b'"x":6', b'"x":7'))
    with pytest.raises(OutputError, match=r"audit.jsonl, line 6"):
        open_log(path)


def test_two_writers_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    told: list[Entry] = []
    one, other = open_log(path), open_log(path, told=told.append)
    one.append("run started")
    other.append("override added")
    one.append("run finished")
    assert [entry.fields["what"] for entry in walk(path.read_bytes())] == [
        "run started",
        "override added",
        "run finished",
    ]
    assert [entry.fields["what"] for entry in told] == ["run started", "override added"]
    # a writer that died in between is told of by the next
    with path.open("ab") as stream:
        stream.write(b'{"n":4,"ti')
    other.append("override added")
    assert [entry.fields["what"] for entry in walk(path.read_bytes())][3:] == [TORN, "override added"]


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_writer_notices_that_the_log_was_cut_or_replaced_meanwhile(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(LOG)
    log = open_log(path)
    path.write_bytes(b"".join(LINES[:kept]))
    with pytest.raises(OutputError, match="Nothing is added to a log that was changed"):
        log.append("run finished")
    other, _ = render(1, {"what": "x" * len(LOG)}, GENESIS)
    path.write_bytes(other)
    with pytest.raises(OutputError, match="Nothing is added to a log that was changed"):
        log.append("run finished")
    assert path.read_bytes() == other


WRITER = """
import sys
from il2cyto.provenance.audit import AuditLog
log = AuditLog(sys.argv[1], "ann")
for done in range(25):
    log.append("override added", process=sys.argv[2], number=done)
"""


def test_processes_that_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    command = [sys.executable, "-c", WRITER, str(path)]
    workers = [subprocess.Popen([*command, str(i)]) for i in range(3)]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0, 0]
    entries = list(walk(path.read_bytes()))
    assert sorted((entry.fields["process"], entry.fields["number"]) for entry in entries) == [
        (str(i), k) for i in range(3) for k in range(25)
    ]


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    log = open_log(path)
    log.append("run started")
    before, write = path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:10]))
    with pytest.raises(OutputError, match="cannot be written"):
        log.append("run finished")
    assert path.read_bytes() == before
    monkeypatch.undo()
    log.append("run finished")
    assert len(list(walk(path.read_bytes()))) == 2


def test_a_hundred_thousand_lines(tmp_path: Path) -> None:
    content = build(100_000)
    started = time.process_time()
    entries = sum(1 for _ in walk(content))
    assert entries == 100_000
    assert time.process_time() - started < 10


def test_who(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IL2CYTO_USER", raising=False)
    assert "@" in who()
    monkeypatch.setenv("IL2CYTO_USER", "Ann Other")
    assert who() == "Ann Other"
    assert who("Bo") == "Bo"
    assert len(who("x" * 1000)) == 200


def test_text_that_has_no_bytes(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(path, "ann\udce9").append("run started", reason="a\u2028b\nc")
    assert [entry.fields["reason"] for entry in walk(path.read_bytes())] == ["a\u2028b\nc"]
    assert path.read_bytes().count(b"\n") == 1
