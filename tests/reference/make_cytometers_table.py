"""Write ``cytometers.csv``: what every FCS file of the public reference folder holds, worked out without il2cyto.

    python tests/reference/make_cytometers_table.py REFERENCE_FOLDER

needs FlowKit 1.3.2. Each file is computed with `by_hand`, all events and channels, and compared with FlowKit, which is
asked first as it comes and then with its options for wrong offsets. ``checked_against`` is ``FlowKit 1.3.2`` where
some way of asking gives the same numbers (relative 1e-13) and ``by hand`` where none does; then ``note`` says why. The
script does not import il2cyto. The column ``repairs`` is not made here: what stands in it is kept.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
import sys
import warnings
from pathlib import Path

import by_hand
import flowio
import flowkit

TABLE = Path(__file__).with_name("cytometers.csv")
COLUMNS = [
    "file", "dataset", "version", "cytometer", "outcome", "error", "datatype", "byteord", "bits", "n_events",
    "n_channels", "repairs", "first_event", "last_event", "sum", "checked_against", "note",
]  # fmt: skip
#: Ways to ask FlowKit, the first being its own choice.
OPTIONS = (
    {},
    {"ignore_offset_error": True},
    {"ignore_offset_discrepancy": True},
    {"use_header_offsets": True},
    {"use_header_offsets": True, "ignore_offset_error": True},
)
#: Files that hold no events to read; the words (separated by ";", numbers without separators) must be in the message.
ERRORS = {
    "cytometers/FlowCytometers/corrupted/corrupted.fcs": ("10 bytes", "ten bytes of text, no HEADER"),
    "cytometers/FlowCytometers/cytek-nl-2000/sample_header.fcs": (
        "DATA;3931",
        "HEADER and TEXT of Cytek NL-2000.fcs without its DATA (announced 5912 to 2165911)",
    ),
}
#: Cytometers of the data sets without $CYT, from the folder, the file's name or its other data set.
CYTOMETERS = {
    "cytometers/Beckman Coulter - Gallios.LMD": "Gallios",
    "cytometers/coulter.lmd": "Cytomics FC 500",
    "cytometers/FlowCytometers/FACS_Diva/facs_diva_test.fcs": "unknown, BD FACSDiva 6.2",
    "flowjo-spleen/68983.fcs": "LSRII",
    "gatingml2-set1/simple_diamond_example/test_data_diamond_01.fcs": "none, made for the gate",
    "gatingml2-set1/simple_line_example/data_set_simple_line_100.fcs": "none, made for the gate",
}
NOTES = {
    "cytometers/3FITC_4PE_004.fcs": "$PnE 4,0 read as 4,1",
    "cytometers/100715.fcs": "no time channel although $TIMESTEP stands there",
    "cytometers/Beckman Coulter - Gallios.LMD": "the same run twice, FCS 2.0 and 3.0; 3.0: TEXT behind DATA, 20 bits "
    "of data with a counter above, $SPILLOVER of channel numbers; 2.0: gains 10 and 100 on linear channels; 3.0: the "
    "32-bit words of DATA add up to @CHECKSUM",
    "cytometers/coulter.lmd": "the same run twice, FCS 2.0 and 3.0; 2.0: DATA ends one byte late; 3.0: TEXT behind "
    "DATA, 20 bits of data (10 of time) with channel numbers above, and the 32-bit words of DATA add up to @CHECKSUM",
    "cytometers/FlowCytometers/Cytek_xP5/Cytek_xP5.fcs": "24 bits, which FlowIO does not read; time runs from 0 to "
    "18.99 s as $BTIM and $ETIM say; 484784 zero bytes behind DATA",
    "cytometers/FlowCytometers/cyflow_cube_8/cyflow_cube_8.fcs": "supplemental TEXT points at a ZIP archive",
    "cytometers/FlowCytometers/FACS_Diva/facs_diva_test.fcs": "gain 0.01 on Time not applied",
    "cytometers/FlowCytometers/fake_bitmask_error/fcs1_cleaned.lmd": "all integers 0x4210, masked to 528; HEADER's "
    "offsets shifted by one column; gains 2 and 10 on linear channels",
    "cytometers/FlowCytometers/MiltenyiBiotec/FCS3.1/SG_2014-09-26_Duplicate_Names.fcs": "keyword $VOL twice; true "
    "doubled delimiters in $PnF and $PnS",
    "cytometers/G11.fcs": "true doubled delimiters in $PnF; UTF-8",
    "cytometers/Stratedigm - S1400.fcs": "gain 6.5536 on linear channels; gain 62500 on Time not applied",
    "cytometers/System II listmode with extra info in bits D10-D15.LMD": "bits above $PnR cleared in every event",
}
for _folder in ("Custom_Add_Well", "Custom_Without_Add_Well", "Well"):
    _name = f"EY_2013-07-19_PBS_FCS_3.1_{_folder}_A1.001.fcs"
    NOTES[f"cytometers/FlowCytometers/MiltenyiBiotec/FCS3.1/{_name}"] = "$SPILLOVER without numbers"
for _name in (
    "variable_int_example.fcs", "data_start_offset_discrepancy_example.fcs", "data_stop_offset_discrepancy_example.fcs"
):  # fmt: skip
    NOTES[f"cytometers/{_name}"] = (
        "$TIMESTEP xxxxxxxxx, where FlowIO raises: time stays in ticks, its gain 78125.000109 not applied; the "
        "integers are those of FlowIO's own test"
    )


def fcs_files(reference: Path) -> list[str]:
    """Every FCS file, by its name or its first three bytes, as a path in the reference folder."""
    found = []
    for path in reference.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                is_fcs = stream.read(3) == b"FCS"
            if is_fcs or path.suffix.lower() in {".fcs", ".lmd"}:
                found.append(path.relative_to(reference).as_posix())
    return sorted(found)


def flowkit_events(path: Path, options: dict[str, bool]) -> list[list[list[float]]]:
    """FlowKit's linear events of each data set."""
    try:
        samples = [flowkit.Sample(str(path), subsample=1, **options)]
    except flowio.exceptions.MultipleDataSetsError:
        sets = flowio.read_multiple_data_sets(str(path), **options)
        samples = [flowkit.Sample(data, sample_id=str(k), subsample=1) for k, data in enumerate(sets)]
    return [sample.get_events(source="raw").tolist() for sample in samples]


def agree(hand: list[list[float]], other: list[list[float]], leave_out: int | None) -> bool:
    """Whether two tables of events hold the same numbers, but for one channel that FlowKit does not know."""
    if len(hand) != len(other):
        return False
    return all(
        len(one) == len(two)
        and all(
            n == leave_out or a == b or abs(a - b) <= 1e-13 * abs(a)
            for n, (a, b) in enumerate(zip(one, two, strict=True), start=1)
        )
        for one, two in zip(hand, other, strict=True)
    )


def compare(path: Path, hand: list[list[list[float]]], leave_out: int | None) -> tuple[list[bool], str]:
    """For each data set whether FlowKit has the same numbers, and what it had to be told for that."""
    best, told = [False] * len(hand), ""
    for options in OPTIONS:
        try:
            theirs = flowkit_events(path, options)
        except Exception:  # FlowIO raises ValueError, struct.error, KeyError …: any of them is "cannot read"
            continue
        same = [agree(one, two, leave_out) for one, two in zip(hand, theirs, strict=True)]
        if sum(same) > sum(best):
            best, told = same, ", ".join(options)
    return best, told


def shown(data: by_hand.DataSet) -> list[int]:
    """Up to six channels: first, last, time, one on a log scale, one with a gain, then others from the left."""
    numbers = [channel.number for channel in data.channels]
    wanted = [numbers[0], numbers[-1]]
    wanted += [channel.number for channel in data.channels if channel.time]
    logs = [c.number for c in data.channels if data.datatype == "I" and float(c.log[0]) > 0]
    gains = [c.number for c in data.channels if c.gain != 1.0 and not c.time and c.number not in logs]
    wanted += logs[:1] + gains[:1] + numbers
    return sorted(list(dict.fromkeys(wanted))[:6])


def write_values(events: list[float], numbers: list[int]) -> str:
    return ";".join(f"{n}={events[n - 1]!r}" for n in numbers)


def rows_of(reference: Path, file: str, repairs: dict[tuple[str, str], str]) -> list[dict[str, object]]:
    path = reference / file
    content = path.read_bytes()
    if file in ERRORS:
        words, note = ERRORS[file]
        row: dict[str, object] = {"file": file, "dataset": 0, "outcome": "error", "error": words, "note": note}
        row |= {"checked_against": "by hand", "repairs": repairs.get((file, "0"), "")}
        if len(content) >= 58:
            row |= described(file, next(by_hand.data_sets(content)))
        return [row]
    odd = by_hand.ODD.get(file)
    sets = list(by_hand.data_sets(content, odd))
    hand = [[by_hand.values(content, data, event) for event in range(data.n_events)] for data in sets]
    high_word = odd.high_word if odd else None
    same, told = compare(path, hand, high_word)
    rows = []
    for k, (data, events) in enumerate(zip(sets, hand, strict=True)):
        notes = [odd.why if odd else "", NOTES.get(file, ""), f"FlowKit with {told}" if same[k] and told else ""]
        notes.append(f"FlowKit leaves channel {high_word} in its own units" if high_word else "")
        note = "; ".join(text for text in notes if text)
        if not same[k]:
            assert note, f"{file}: FlowKit does not agree and nobody has said why"
        rows.append(
            {
                "file": file,
                "dataset": k,
                "outcome": "reads",
                "repairs": repairs.get((file, str(k)), ""),
                "first_event": write_values(events[0], shown(data)),
                "last_event": write_values(events[-1], shown(data)),
                "sum": repr(math.fsum(event[0] for event in events)),
                "checked_against": "FlowKit 1.3.2" if same[k] else "by hand",
                "note": note,
                **described(file, data),
            }
        )
    return rows


def described(file: str, data: by_hand.DataSet) -> dict[str, object]:
    runs = ((bits, len(list(run))) for bits, run in itertools.groupby(channel.bits for channel in data.channels))
    return {
        "version": data.version,
        "cytometer": data.keywords.get("$CYT", "").strip() or CYTOMETERS[file],
        "datatype": data.datatype,
        "byteord": data.byteord,
        "bits": "+".join(f"{bits}x{times}" for bits, times in runs),
        "n_events": data.n_events,
        "n_channels": len(data.channels),
    }


def main(reference: Path) -> None:
    warnings.simplefilter("ignore")  # FlowIO warns of offsets that are off by one
    repairs = {}
    if TABLE.exists():
        with TABLE.open(encoding="utf-8", newline="") as stream:
            repairs = {(row["file"], row["dataset"]): row["repairs"] for row in csv.DictReader(stream)}
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for file in fcs_files(reference):
        writer.writerows(rows_of(reference, file, repairs))
    TABLE.write_text(text.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
