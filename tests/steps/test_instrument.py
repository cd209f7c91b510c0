"""What a report says of an instrument: numbers and known words of the file, nothing that could name somebody."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from leaks import Fcs, plain_fcs

from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.panel import Panel, PanelEntry
from il2cyto.sample import Sample
from il2cyto.steps.instrument import TIME_BINS, describe_acquisition, describe_instrument, public_name

PANEL = Panel("p", (PanelEntry("CD4", "", "BV421"), PanelEntry("CD8", "absent")))


def read(fcs: Fcs, folder: Path) -> Sample:
    path = folder / "a.fcs"
    path.write_bytes(fcs.content())
    return read_fcs(path)


def channels(described: dict) -> dict:
    return {channel["name"]: channel for channel in described["channels"]}


def test_settings_by_hand(tmp_path):
    fcs = plain_fcs(b"Lee")
    for key, value in {
        "$CYT": b"Ward 3, Dr Lee's FACSCanto II", "$P3V": b"480", "$P3F": b"585/42", "$P3L": b"488", "$P3O": b"20",
        "$P3T": b"PMT", "$P3G": b"2.0",
    }.items():  # fmt: skip
        fcs.set(key, value)
    described = describe_instrument(read(fcs, tmp_path), PANEL)
    assert described["cytometer"] == "FACSCanto II"
    assert channels(described)["B1-A"] == {
        "name": "B1-A", "marker": "CD4", "fluorochrome": "BV421", "voltage": "480", "gain": "2.0",
        "range": "262144", "filter": "585/42", "excitation": "488", "power": "20", "detector": "PMT",
    }  # fmt: skip
    assert list(channels(described)) == ["FSC-A", "SSC-A", "B1-A", "parameter 4", "Time"]


@pytest.mark.parametrize("name", [b"Xanthippe Quillfeather", "Zoë Måneskjöldsdøtter".encode(), "欧阳翠花".encode()])
def test_a_name_in_any_keyword_is_not_told(tmp_path, name):
    fcs = plain_fcs(name)
    for key in ("$CYT", *(f"$P2{letter}" for letter in "NSVFLOT")):
        fcs.set(key, name)
    sample = read(fcs, tmp_path)
    told = json.dumps([describe_instrument(sample, PANEL), describe_acquisition(sample, PANEL)], ensure_ascii=False)
    assert not [part for part in name.decode().split() if part in told]
    assert channels(describe_instrument(sample, PANEL))["parameter 2"]["voltage"] == ""


def test_a_channel_that_the_panel_declares_keeps_its_name(tmp_path):
    fcs = plain_fcs(b"Lee")
    fcs.set("$P2N", b"Qux 7")
    sample = read(fcs, tmp_path)
    assert public_name(sample.channels[1], Panel("p", (PanelEntry("CD4", "Qux 7"),))) == "Qux 7"
    assert public_name(sample.channels[1], None) == "parameter 2"


def test_rate_and_margins_by_hand(tmp_path):
    n = 600
    events = np.zeros((n, 3), dtype=np.float32)
    # twice as many events in the first half of 10 s
    events[:, 0] = np.concatenate([np.linspace(0, 500, 400, endpoint=False), np.linspace(500, 1000, 200)])
    events[:, 1] = 100.0
    events[:60, 1] = 262143.0
    events[:, 2] = 50.0
    path = tmp_path / "a.fcs"
    write_fcs(events, path, channels=["Time", "SSC-A", "FSC-A"], timestep=0.01)
    sample = read_fcs(path)
    assert {channel.range for channel in sample.channels[1:]} == {262144.0}
    told = describe_acquisition(sample, None)
    assert told["duration"] == 10.0
    assert len(told["rate"]) == TIME_BINS
    assert sum(told["rate"]) == n
    assert sum(told["rate"][:30]) == 400
    assert told["margins"] == [["SSC-A", 10.0]]


def test_without_a_time_in_seconds_there_is_no_rate(tmp_path):
    path = tmp_path / "a.fcs"
    write_fcs(np.ones((5, 2), dtype=np.float32), path, channels=["SSC-A", "FSC-A"])
    assert describe_acquisition(read_fcs(path), None) == {"duration": None, "rate": [], "margins": []}
