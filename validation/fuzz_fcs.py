"""Coverage-guided fuzzing of the FCS reader: nothing but its own errors may come out, and never slowly.

    pip install atheris
    python validation/fuzz_fcs.py [--seconds 1200] [--corpus FOLDER]

Atheris (libFuzzer) mutates small files of every kind, guided by the lines of ``il2cyto.fcs`` that they reach. An input
is a finding if reading it raises anything but `FcsError`, takes more than five seconds, allocates more than 1 GB, or
gives events of another shape than announced. A finding is written beside the corpus and stops the run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris
import numpy as np

import il2cyto.sample  # noqa: F401  # the kernels below it are compiled: they must not be instrumented

with atheris.instrument_imports(include=["il2cyto.fcs"]):
    from il2cyto.errors import FcsError
    from il2cyto.fcs.clock import acquisition, elapsed
    from il2cyto.fcs.dataset import parse_dataset
    from il2cyto.fcs.head import render_head
    from il2cyto.fcs.read import to_sample


def seeds() -> dict[str, bytes]:
    """Return small valid files of every kind that the reader knows."""
    number = np.arange(1, 13)
    words = number.astype("<u2").tobytes()
    singles = number.astype("<f4").tobytes()
    midnight = {"$BTIM": "23:59:59:30", "$ETIM": "00:01:02:59"}
    kinds: dict[str, tuple[str, str, str, dict[str, str], bytes]] = {
        "float-little": ("FCS3.1", "F", "1,2,3,4", {}, number.astype("<f4").tobytes()),
        "float-big": ("FCS3.0", "F", "4,3,2,1", {"$P1N": "Time", "$TIMESTEP": "0.1"}, number.astype(">f4").tobytes()),
        "double": ("FCS3.1", "D", "1,2,3,4", {"$P1B": "64", "$P2B": "64"}, number.astype("<f8").tobytes()),
        "integer": ("FCS2.0", "I", "1,2", {"$P1B": "16", "$P2B": "16", "$P1E": "4,0"}, words),
        "mixed": ("FCS3.0", "I", "4,3,2,1", {"$P1B": "8", "$P2B": "24"}, bytes(range(24))),
        "words": ("FCS3.0", "I", "3,4,1,2", {"$P1N": "TIME", "$P2N": "Time MSW"}, number.astype("<u4").tobytes()),
        "packed": ("FCS3.0", "I", "4,3,2,1", {"$P1B": "10", "$P2B": "6"}, bytes(range(12))),
        "padded": ("FCS3.0", "I", "1,2,3,4", {"$P1B": "10", "$P2B": "10", "$SYS": "CXP"}, words),
        "ascii": ("FCS2.0", "A", "1,2,3,4", {"$P1B": "2", "$P2B": "3"}, b"01 12 " * 5),
        "ascii-free": ("FCS3.0", "A", "1,2,3,4", {"$P1B": "*", "$P2B": "*"}, b"1 22,3\n4 5 6 7 8 9 10 11 12 "),
        "types": ("FCS3.2", "F", "1,2,3,4", {"$P2DATATYPE": "D", "$P2B": "64", "$CYT": "x"}, bytes(72)),
        "matrix": ("FCS3.1", "F", "1,2,3,4", {"$SPILLOVER": "2,A,B,1,0.1,0.2,1"}, singles),
        "chinese": ("FCS3.0", "F", "1,2,3,4", {"$OP": "调节性T细胞"}, singles),
        "clock": ("FCS3.0", "F", "1,2,3,4", midnight, singles),
    }  # fmt: skip
    files = {}
    for name, (version, datatype, order, extra, data) in kinds.items():
        text = {"$PAR": "2", "$TOT": "6", "$MODE": "L", "$DATATYPE": datatype, "$BYTEORD": order}
        for i, channel in enumerate("AB", start=1):
            text |= {f"$P{i}N": channel, f"$P{i}B": "32", f"$P{i}E": "0,0", f"$P{i}R": "1000"}
        text |= extra
        width = {"types": 12}.get(name)
        if width is None:
            bits = [text["$P1B"], text["$P2B"]]
            width = 0 if "*" in bits else sum(map(int, bits)) * (8 if datatype == "A" else 1) / 8
            width = 4 if name == "padded" else width
        text["$TOT"] = str(int(len(data) / width)) if width else "6"
        head = render_head(text, len(data), version=version, name=name)
        files[name] = head + data + b"00000000"
        files[f"{name}-latin"] = (head + data).replace("调节性T细胞".encode(), "5 µL créée".encode("latin-1"))
    first, second = files["integer"], files["float-big"]
    chain = first.replace(b"$NEXTDATA|0|", b"$NEXTDATA|%d|" % len(first))
    files["chain"] = chain + second
    return files


def test_one_input(data: bytes) -> None:
    """Read every data set that the bytes may hold."""
    for k in (0, 1):
        try:
            dataset = parse_dataset(np.frombuffer(data, dtype=np.uint8), "fuzz", k)
            sample = to_sample(dataset, Path("fuzz.fcs"))
            events = sample.events
            acquisition(sample.keywords, sample.version)
            if any(channel.is_time for channel in sample.channels):
                elapsed(sample)
        except FcsError:
            continue
        if events.shape != (sample.n_events, len(sample.channels)):
            raise AssertionError(f"{events.shape} for {sample.n_events} events of {len(sample.channels)} channels")


def main() -> None:
    """Fuzz in a process of its own and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=1200)
    parser.add_argument("--corpus", type=Path, help="folder kept between runs")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        arguments = [sys.argv[0], str(options.work), f"-max_total_time={options.seconds}", "-max_len=4096"]
        arguments += ["-timeout=5", "-rss_limit_mb=2048", "-malloc_limit_mb=1000", "-print_final_stats=1"]
        atheris.Setup([*arguments, f"-artifact_prefix={options.work}/../finding-"], test_one_input)
        atheris.Fuzz()
    with tempfile.TemporaryDirectory() as name:
        folder = (options.corpus or Path(name) / "corpus").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for label, content in seeds().items():
            (folder / label).write_bytes(content)
        command = [sys.executable, __file__, "--seconds", str(options.seconds), "--work", str(folder)]
        done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True, errors="replace")
        lines = [
            line
            for line in done.stderr.splitlines()
            if line.startswith(("stat::", "Done", "==", " ")) or "rror" in line
        ]
        print("\n".join(lines[-40:]))
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
