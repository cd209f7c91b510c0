"""The page is written piece by piece, whole or not at all, with the pictures of one tube in memory."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import fake_trial
import pytest

from il2cyto.report import build_report, write_report


def test_the_file_is_the_text(tmp_path):
    write_report(fake_trial.make_inputs(), tmp_path / "report.html")
    text = build_report(fake_trial.make_inputs())
    assert (tmp_path / "report.html").read_bytes() == text.encode("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_failure_leaves_the_old_page(tmp_path):
    trial = fake_trial.make_inputs()

    def broken():
        yield next(iter(trial.plots))
        raise OSError("disk full")

    (tmp_path / "report.html").write_text("old")
    with pytest.raises(OSError, match="disk full"):
        write_report(replace(trial, plots=broken()), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


class Plots(dict):
    """A dict that can be watched."""


def test_pictures_of_one_tube_are_in_memory(tmp_path):
    trial = fake_trial.make_inputs()
    alive, most = weakref.WeakSet(), []

    class Watched(Plots):
        __hash__ = object.__hash__

    def plots():
        for tube_id, content in trial.plots:
            gc.collect()
            most.append(len(alive))
            one = Watched(content)
            alive.add(one)
            yield tube_id, one

    write_report(replace(trial, plots=plots()), tmp_path / "report.html")
    assert len(most) == 69
    assert max(most) <= 2
