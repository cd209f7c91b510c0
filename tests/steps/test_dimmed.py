"""Bright values that the mask of the standard makes dim are told, marks of an instrument are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.steps.content import _dimmed_note


def test_a_few_values_above_the_range_are_a_note(tmp_path: Path) -> None:
    values = np.full((100, 2), 7, dtype="u2")
    values[:, 1] |= 0x4000  # a mark in every event
    values[3, 0] = 2000
    path = tmp_path / "a.fcs"
    write_fcs(values, path, channels=["A", "B"])
    content = path.read_bytes().replace(b"$P1R|65536|", b"$P1R|01024|").replace(b"$P2R|65536|", b"$P2R|01024|")
    path.write_bytes(content)
    sample = read_fcs(path)
    assert sample.masked_values.tolist() == [1, 100]
    assert _dimmed_note(sample) == [
        "1 values of parameter(s) 1 lie above their range: the mask of the standard makes them dim"
    ]
