"""Compiled kernels never outlive their sources."""

from __future__ import annotations

from pathlib import Path

from il2cyto.kernels.cache import forget_stale


def test_a_change_in_any_source_removes_every_compiled_kernel(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("y = 1\n")
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    assert not forget_stale(tmp_path)
    for name in ("a.run-1.nbi", "a.run-1.py311.1.nbc", "b.cpython-311.pyc"):
        (cache / name).write_bytes(b"x")
    assert not forget_stale(tmp_path)
    assert (cache / "a.run-1.nbi").is_file()
    (tmp_path / "b.py").write_text("y = 2\n")
    assert forget_stale(tmp_path)
    assert sorted(path.name for path in cache.iterdir()) == ["b.cpython-311.pyc", "kernels.sha256"]
    assert not forget_stale(tmp_path)


def test_a_mark_that_is_missing_trusts_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.run-1.nbi").write_bytes(b"x")
    assert forget_stale(tmp_path)
