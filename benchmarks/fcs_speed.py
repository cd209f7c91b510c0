"""Read FCS files: il2cyto against numpy.fromfile, FlowIO and FlowKit, in the same run, warm cache, one thread.

    python benchmarks/fcs_speed.py [--events 1000000] [--files 1000] [--repeats 7]

Two files of 1,000,000 events × 18 parameters (float32, big-endian and little-endian) are read into native arrays, and
the keywords of 1,000 files of 40 channels are read without their events. Printed: median seconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import flowio  # noqa: E402  # after the thread limits
import flowkit  # noqa: E402
import numpy as np  # noqa: E402

from il2cyto.fcs import read_fcs, read_fcs_header  # noqa: E402
from il2cyto.fcs.head import render_head  # noqa: E402


def write_tube(path: Path, events: np.ndarray, keywords: dict[str, str]) -> None:
    """Write an array with its byte order as it is."""
    big = events.dtype.byteorder == ">"
    text = {"$DATATYPE": "F", "$BYTEORD": "4,3,2,1" if big else "1,2,3,4", "$MODE": "L", "$TOT": str(len(events))}
    text["$PAR"] = str(events.shape[1])
    for i in range(1, events.shape[1] + 1):
        text |= {f"$P{i}B": "32", f"$P{i}E": "0,0", f"$P{i}N": f"C{i}-A", f"$P{i}S": f"marker {i}", f"$P{i}R": "262144"}
    head = render_head({**text, **keywords}, events.nbytes, version="FCS3.1", name=path.name)
    path.write_bytes(head + events.tobytes() + b"00000000")


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time of several runs, after one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    values = rng.normal(1e3, 300, (options.events, 18))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for order, word in ((">", "big-endian"), ("<", "little-endian")):
            path = folder / f"{word}.fcs"
            stored = values.astype(f"{order}f4")
            write_tube(path, stored, {})
            offset = path.stat().st_size - 8 - stored.nbytes
            if not np.array_equal(read_fcs(path).native(), stored):
                raise SystemExit("what was read is not what was written")
            rows = [
                (
                    "numpy.fromfile",
                    lambda p=path, o=offset, d=stored.dtype, n=stored.size: np.fromfile(p, d, n, offset=o),
                ),
                ("il2cyto native()", lambda p=path: read_fcs(p).native()),
                ("il2cyto events (float64)", lambda p=path: read_fcs(p).events),
                ("FlowIO as_array (float64)", lambda p=path: flowio.FlowData(str(p)).as_array()),
                ("FlowKit Sample", lambda p=path: flowkit.Sample(str(p)).get_events(source="raw")),
            ]
            seconds = {label: median_seconds(work, options.repeats) for label, work in rows}
            print(f"{options.events:,} events × 18 float32, {word}, {stored.nbytes / 1e6:.0f} MB")
            for label, value in seconds.items():
                print(f"  {label:<28}{value:8.3f} s   {value / seconds['numpy.fromfile']:6.2f} × numpy.fromfile")
        spill = ",".join(["32", *(f"C{i}-A" for i in range(1, 33)), *("0.0123" for _ in range(32 * 32))])
        small = values[:100].repeat(3, axis=1)[:, :40].astype("<f4")
        paths = [folder / f"tube{i:04d}.fcs" for i in range(options.files)]
        for path in paths:
            write_tube(path, small, {"$SPILLOVER": spill, **{f"VENDOR {k}": f"value {k}" for k in range(200)}})
        size = paths[0].stat().st_size
        print(f"keywords of {options.files:,} files (40 channels, {size / 1e3:.0f} kB each)")
        ours = median_seconds(lambda: [read_fcs_header(path) for path in paths], 3)
        theirs = median_seconds(lambda: [flowio.FlowData(str(path), only_text=True) for path in paths], 3)
        print(f"  {'il2cyto read_fcs_header':<28}{ours:8.3f} s")
        print(f"  {'FlowIO only_text':<28}{theirs:8.3f} s")


if __name__ == "__main__":
    main()
