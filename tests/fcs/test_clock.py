"""Time: seconds of events across words and overflows, and the wall clock of an acquisition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builder import build_fcs

from il2cyto.errors import FcsError
from il2cyto.fcs import read_fcs
from il2cyto.fcs.clock import acquisition, elapsed


def test_a_clock_that_runs_over_goes_on(tmp_path: Path) -> None:
    ticks = np.array([65_000, 65_535, 10, 9, 40_000, 65_100, 3], dtype="u2")
    extra = {"$P1N": "Time", "$P1R": "65536", "$TIMESTEP": "0.5"}
    found = elapsed(read_fcs(build_fcs(tmp_path / "a.fcs", [ticks], datatype="I", extra=extra)))
    assert found.n_wraps == 2
    # a small step back (10, 9) is no overflow
    assert found.seconds.tolist() == [32500, 32767.5, 32773, 32772.5, 52768, 65318, 65537.5]


def test_a_float_clock_runs_over_at_its_range(tmp_path: Path) -> None:
    ticks = np.array([262_100, 262_143, 100], dtype="f4")
    extra = {"$P1N": "Time", "$P1R": "262144", "$TIMESTEP": "0.01"}
    found = elapsed(read_fcs(build_fcs(tmp_path / "a.fcs", [ticks], extra=extra)))
    assert found.seconds == pytest.approx([2621.0, 2621.43, 2622.44], rel=1e-12)


@pytest.mark.parametrize(
    ("names", "labels"), [(("TIME", "Time MSW"), ("", "")), (("TIME", "TIME2"), ("Time LSW", "Time MSW"))]
)
def test_two_words_are_one_clock(tmp_path: Path, names: tuple[str, str], labels: tuple[str, str]) -> None:
    low, high = np.array([65_000, 100], dtype="u2"), np.array([2, 3], dtype="u2")
    extra = {"$P1N": names[0], "$P2N": names[1], "$P1R": "65536", "$P2R": "65536", "$TIMESTEP": "0.001"}
    extra |= {f"$P{i}S": label for i, label in enumerate(labels, start=1) if label}
    sample = read_fcs(build_fcs(tmp_path / "a.fcs", [low, high], datatype="I", extra=extra))
    assert elapsed(sample).seconds == pytest.approx([65 + 2 * 65.536, 0.1 + 3 * 65.536], rel=1e-14)
    assert elapsed(sample).n_wraps == 0
    assert [(r.keyword, r.affects_numbers) for r in sample.repairs] == [("$P2N", True)]


def test_no_clock_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FcsError, match="no time channel"):
        elapsed(read_fcs(build_fcs(tmp_path / "a.fcs", [np.array([1.0], dtype="f4")])))


@pytest.mark.parametrize(
    ("begin", "end", "version", "duration", "repaired"),
    [
        ("11:50:06", "12:02:54", "FCS2.0", 768.0, []),
        ("10:00:00:30", "10:00:02:15", "FCS3.0", 1.75, []),  # sixtieths
        ("10:00:00:30", "10:00:02:75", "FCS3.0", 2.45, ["$BTIM"]),  # hundredths, as 75 shows
        ("10:00:00.30", "10:00:02.15", "FCS3.1", 1.85, []),
        ("23:59:58", "00:00:03", "FCS3.0", 5.0, ["$ETIM"]),
        ("", "12:00:00", "FCS3.1", None, []),
        ("noon", "12:00:00", "FCS3.1", None, ["$BTIM"]),
    ],
)
def test_wall_clock(begin: str, end: str, version: str, duration: float | None, repaired: list[str]) -> None:
    found = acquisition({"$BTIM": begin, "$ETIM": end}, version)
    assert found.duration == (None if duration is None else pytest.approx(duration, abs=1e-9))
    assert [repair.keyword for repair in found.repairs] == repaired
