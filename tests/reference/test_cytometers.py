"""Every FCS file of the reference folder against values worked out from its bytes without il2cyto.

``cytometers.csv`` states them, one row for each data set; `by_hand` and ``make_cytometers_table.py`` beside it made
them and say how. A value is equal, or within a relative 1e-15 where it is a product or a power that may be rounded
twice.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import by_hand
import pytest

from il2cyto.errors import FcsError
from il2cyto.fcs import read_fcs, read_fcs_header
from il2cyto.sample import Repair

pytestmark = pytest.mark.reference

with Path(__file__).with_name("cytometers.csv").open(encoding="utf-8", newline="") as stream:
    ROWS = list(csv.DictReader(stream))
GOOD = [row for row in ROWS if row["outcome"] == "reads"]
BAD = [row for row in ROWS if row["outcome"] == "error"]
#: Odd and plain files that are small enough to work out again in a test.
AGAIN = [
    row
    for row in GOOD
    if row["file"].startswith("cytometers/")
    and (row["checked_against"] == "by hand" or int(row["n_events"]) * int(row["n_channels"]) < 150_000)
    and int(row["n_events"]) < 20_000
]


def name(row: dict[str, str]) -> str:
    return f"{Path(row['file']).name}#{row['dataset']}"


def expected(text: str) -> dict[int, float]:
    """Channel number and value out of ``1=0.5;3=7.0``."""
    return {int(number): float(value) for number, _, value in (part.partition("=") for part in text.split(";"))}


def differences(found: list[float], wanted: dict[int, float]) -> dict[int, tuple[float, float]]:
    """Found and wanted value of each channel, from 1, in which they differ."""
    pairs = {number: (found[number - 1], value) for number, value in wanted.items()}
    return {number: pair for number, pair in pairs.items() if not math.isclose(*pair, rel_tol=1e-15)}


@pytest.mark.parametrize("row", GOOD, ids=name)
def test_reads_as_by_hand(row: dict[str, str], reference: Path) -> None:
    path, dataset = reference / row["file"], int(row["dataset"])
    sample = read_fcs(path, dataset=dataset)
    assert read_fcs_header(path, dataset=dataset).version == row["version"]
    assert sample.events.shape == (int(row["n_events"]), int(row["n_channels"]))
    assert differences(sample.events[0].tolist(), expected(row["first_event"])) == {}
    assert differences(sample.events[-1].tolist(), expected(row["last_event"])) == {}
    assert math.fsum(sample.events[:, 0].tolist()) == pytest.approx(float(row["sum"]), rel=1e-15, abs=0.0)


def told(repairs: tuple[Repair, ...]) -> str:
    """Repairs as the table lists them; ``!`` marks those that can change numbers."""
    return " | ".join(f"{repair.keyword}: {repair.assumed}{'!' * repair.affects_numbers}" for repair in repairs)


@pytest.mark.parametrize("row", GOOD, ids=name)
def test_says_what_it_repaired(row: dict[str, str], reference: Path) -> None:
    repairs = read_fcs(reference / row["file"], dataset=int(row["dataset"])).repairs
    assert told(repairs) == row["repairs"]


@pytest.mark.parametrize("row", BAD, ids=name)
def test_gives_the_right_error(row: dict[str, str], reference: Path) -> None:
    with pytest.raises(FcsError) as caught:
        read_fcs(reference / row["file"], dataset=int(row["dataset"]))
    message = str(caught.value).replace(",", "")
    assert [word for word in row["error"].split(";") if word not in message] == [], message


@pytest.mark.parametrize("row", AGAIN, ids=name)
def test_table_is_what_by_hand_computes(row: dict[str, str], reference: Path) -> None:
    content = (reference / row["file"]).read_bytes()
    data = list(by_hand.data_sets(content, by_hand.ODD.get(row["file"])))[int(row["dataset"])]
    events = [by_hand.values(content, data, event) for event in range(data.n_events)]
    assert (data.version, data.datatype, data.byteord) == (row["version"], row["datatype"], row["byteord"])
    assert (len(events), len(data.channels)) == (int(row["n_events"]), int(row["n_channels"]))
    for found, text in ((events[0], row["first_event"]), (events[-1], row["last_event"])):
        wanted = expected(text)
        assert {number: found[number - 1] for number in wanted} == wanted
    assert math.fsum(event[0] for event in events) == float(row["sum"])


@pytest.mark.parametrize("file", ["cytometers/Beckman Coulter - Gallios.LMD", "cytometers/coulter.lmd"])
def test_data_of_lmd_add_up_to_the_checksum_of_the_cytometer(file: str, reference: Path) -> None:
    """Beckman Coulter's ``@CHECKSUM`` is the sum of the 32-bit words of DATA: it vouches for offsets and width."""
    content = (reference / file).read_bytes()
    data = list(by_hand.data_sets(content))[1]
    words = (word for event in range(data.n_events) for word in by_hand.stored(content, data, event))
    assert int(sum(words)) % 2**32 == int(data.keywords["@CHECKSUM"])


def test_no_file_is_forgotten(reference: Path) -> None:
    found = set()
    for path in reference.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                if path.suffix.lower() in {".fcs", ".lmd"} or stream.read(3) == b"FCS":
                    found.add(path.relative_to(reference).as_posix())
    assert {row["file"] for row in ROWS} == found
