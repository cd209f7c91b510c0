"""A file is whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from il2cyto.provenance import atomic_path, hash_content, hash_file, write_text


def fail_midway(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("power cut")


def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    write_text(path, "old\n")
    with pytest.raises(RuntimeError, match="power cut"):
        fail_midway(path)
    assert path.read_text() == "old\n"
    assert [p.name for p in path.parent.iterdir()] == ["b.txt"]


def test_hashes(tmp_path: Path) -> None:
    write_text(tmp_path / "abc", "abc")
    # FIPS 180-2, appendix B.1
    assert hash_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hash_content({"a": 0.1}) != hash_content({"a": 0.1 + 1e-17 * 10})
    assert hash_content([1, 2]) != hash_content([2, 1])
