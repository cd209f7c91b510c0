"""Files that il2cyto writes, as FlowIO and FlowKit read them: single-type FCS 3.1, where both follow the standard.

Left out, because FlowIO 1.4.0 cannot read it: files without an event (it takes offsets 0, 0 for one byte), integers
of 24 bits and of more than 32, mixed types, and keyword values that hold a "$" (it takes every one out).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from il2cyto.fcs import read_fcs, write_fcs

flowkit = pytest.importorskip("flowkit", reason="FlowKit is not installed in this environment (it needs pandas < 3)")
flowio = pytest.importorskip("flowio")
pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

NAMES = ["FSC-A", "B 525/50-A", "γδ", "Time"]


@given(
    hnp.arrays(
        st.sampled_from(["f4", "f8", "u1", "u2", "u4", ">f4", ">u2"]).map(np.dtype),
        st.tuples(st.integers(1, 6), st.integers(1, 4)),
    ),
    st.sampled_from(["a|b", "/x", "µL & more", "\\*^.+(["]),
)
@settings(max_examples=25)
def test_values_and_words_are_the_same(tmp_path: Path, table: np.ndarray, word: str) -> None:
    names = NAMES[: table.shape[1]]
    labels = [f"CD{i}" if i % 2 else None for i in range(len(names))]
    path = tmp_path / "a.fcs"
    write_fcs(table, path, channels=names, markers=labels, timestep=0.25, keywords={"X": word, "$COM": "a/b"})
    theirs = flowio.FlowData(str(path))
    np.testing.assert_array_equal(np.reshape(theirs.events, table.shape), table)
    assert theirs.pnn_labels == names
    assert theirs.pns_labels == [label or "" for label in labels]
    assert (theirs.text["x"], theirs.text["com"]) == (word, "a/b")
    ours = read_fcs(path)
    np.testing.assert_array_equal(theirs.as_array(), ours.events)
    np.testing.assert_array_equal(flowkit.Sample(str(path)).get_events("raw"), ours.events)


@given(st.sampled_from(["f4", "f8", "u2", "u4"]), st.sampled_from(["<", ">"]), st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_copies_of_samples_are_the_same(tmp_path: Path, kind: str, order: str, seed: int) -> None:
    """Amplification, gain and time of a copied sample, in both byte orders, and a part of its events."""
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 1024, (20, 4)).astype(kind)
    write_fcs(table, tmp_path / "a.fcs", channels=NAMES, timestep=0.25, ranges=[1024.0] * 4)
    content = (tmp_path / "a.fcs").read_bytes()
    content = content.replace(b"$P2E|0,0", b"$P2E|4,1") if kind.startswith("u") else content
    if order == ">":
        content = content.replace(table.tobytes(), table.astype(f">{kind}").tobytes())
        content = content.replace(b"1,2,3,4", b"4,3,2,1")
    (tmp_path / "a.fcs").write_bytes(content)
    chosen = rng.random(20) < 0.7
    write_fcs(read_fcs(tmp_path / "a.fcs"), tmp_path / "b.fcs", events=chosen)
    theirs = flowio.FlowData(str(tmp_path / "b.fcs"))
    np.testing.assert_array_equal(np.reshape(theirs.events, (-1, 4)), table[chosen])
    np.testing.assert_allclose(theirs.as_array(), read_fcs(tmp_path / "b.fcs").events, rtol=1e-14)


def test_a_file_beyond_the_offsets_of_header(tmp_path: Path) -> None:
    events = np.zeros((100_010, 250), "f4")
    events[-1] = np.arange(250)
    write_fcs(events, tmp_path / "a.fcs", channels=[f"C{i}" for i in range(250)])
    theirs = flowio.FlowData(str(tmp_path / "a.fcs"))
    assert theirs.header["data_start"] == 0
    assert theirs.events[-250:].tolist() == list(range(250))
