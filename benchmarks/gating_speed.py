"""Read and gate one large tube: il2cyto against FlowKit and numpy.fromfile, in the same run.

    python benchmarks/gating_speed.py [--events 1000000] [--repeats 5]

One FCS file of 1,000,000 events × 18 parameters (float32) is written to a temporary folder, big-endian and
little-endian, and gated with trees of 8 and of 25 populations: polygons on scatter, ranges and polygons on compensated
logicle axes. Every program counts the same events in every population, or the benchmark ends. Printed: medians of the
wall times, the programs in turn; events per second; and the peak resident memory of a fresh process above its own level
after imports and kernel warm-up. All but the line of two threads use one thread.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402  # after the thread limits

from il2cyto.fcs import read_fcs, write_fcs  # noqa: E402
from il2cyto.gates import Dimension, Limits, PolygonGate, RectangleGate  # noqa: E402
from il2cyto.gating import GatingStrategy, Population  # noqa: E402
from il2cyto.transforms import Linear, Logicle  # noqa: E402

CHANNELS = ["Time", "FSC-A", "FSC-H", "SSC-A", *(f"F{i}-A" for i in range(14))]
TOP = 262144.0


def write_tube(path: Path, n: int, seed: int = 7) -> None:
    """Write a tube whose populations make the gates select 90, 80, 90, 60, 50, … percent of their parents."""
    rng = np.random.default_rng(seed)
    events = np.empty((n, 18), dtype=np.float32)
    events[:, 0] = np.arange(n) / 100
    area = rng.normal(9e4, 1.5e4, n)
    events[:, 1] = area
    events[:, 2] = area * rng.normal(0.8, 0.03, n)
    events[:, 3] = rng.normal(4e4, 1.2e4, n)
    bright = rng.random((n, 14)) < np.linspace(0.75, 0.25, 14)
    true = np.where(bright, np.exp(rng.normal(9.2, 0.5, (n, 14))), rng.normal(0, 120, (n, 14)))
    spill = np.eye(14) + rng.uniform(0, 0.08, (14, 14)) * (1 - np.eye(14))
    events[:, 4:] = true @ spill
    write_fcs(events, path, channels=CHANNELS, spillover=(CHANNELS[4:], spill), timestep=0.01)


def swap_bytes(path: Path, target: Path) -> None:
    """Write the same events in the other byte order; everything else stays where it is."""
    sample = read_fcs(path)
    content = bytearray(path.read_bytes())
    first = sample.data_offset
    assert first is not None
    stop = first + sample.n_events * sample.layout.stride
    content[first:stop] = np.frombuffer(bytes(content[first:stop]), dtype="<f4").astype(">f4").tobytes()
    head = bytes(content[:first])
    assert head.count(b"1,2,3,4") == 1
    content[:first] = head.replace(b"1,2,3,4", b"4,3,2,1")
    target.write_bytes(content)


def strategy(n_populations: int = 8) -> GatingStrategy:
    """Singlets, lymphocytes, live, CD3, CD4, Treg, memory, activated; and 17 more below CD3, CD4 and memory."""
    scatter, colour = "scatter", "colour"

    def raw(name: str) -> Dimension:
        return Dimension(name, "uncompensated", scatter)

    def compensated(i: int) -> Dimension:
        return Dimension(f"F{i}-A", "FCS", colour)

    def above(i: int, low: float, high: float | None = None) -> RectangleGate:
        return RectangleGate((Limits(compensated(i), low, high),))

    wide = ((0.05, 0.03), (0.5, 0.33), (0.75, 0.62), (0.6, 0.55), (0.05, 0.06))
    round_ = ((0.15, 0.02), (0.45, 0.03), (0.6, 0.2), (0.5, 0.3), (0.2, 0.28), (0.12, 0.15))
    bright = ((0.45, 0.4), (0.6, 0.38), (0.9, 0.45), (0.95, 0.9), (0.6, 0.95), (0.42, 0.7))
    corner = ((0.4, 0.0), (0.95, 0.0), (0.95, 0.35), (0.6, 0.4), (0.45, 0.3))
    populations = [
        Population("singlets", "root", PolygonGate((raw("FSC-A"), raw("FSC-H")), wide)),
        Population("lymphocytes", "singlets", PolygonGate((raw("FSC-A"), raw("SSC-A")), round_)),
        Population("live", "lymphocytes", above(13, 0.0, 0.4)),
        Population("CD3", "live", above(0, 0.42)),
        Population("CD4", "CD3", PolygonGate((compensated(1), compensated(2)), bright)),
        Population("Treg", "CD4", PolygonGate((compensated(3), compensated(12)), corner)),
        Population("memory", "CD4", above(6, 0.0, 0.4)),
        Population("activated", "memory", PolygonGate((compensated(4), compensated(5)), bright)),
    ]
    for k in range(n_populations - len(populations)):
        x, y, parent = 1 + k % 7, 8 + k % 5, ("CD3", "CD4", "memory", "live")[k % 4]
        dimensions = (compensated(x), compensated(y))
        gate: PolygonGate | RectangleGate = PolygonGate(dimensions, bright if k % 2 else corner)
        if k % 3 == 0:
            gate = RectangleGate((Limits(dimensions[0], 0.4, None), Limits(dimensions[1], None, 0.7)))
        populations.append(Population(f"subset {k}", parent, gate))
    transforms = {scatter: Linear(TOP, 0.0), colour: Logicle(TOP, 0.5, 4.5, 0.0)}
    return GatingStrategy("speed", tuple(populations), transforms)


def ours(path: Path, tree: GatingStrategy, threads: int = 1) -> list[int]:
    """Read and gate with il2cyto."""
    return tree.apply(read_fcs(path), threads=threads).n_inside.tolist()


def theirs(path: Path, tree: GatingStrategy) -> list[int]:
    """Read and gate with FlowKit."""
    import flowkit

    strategy_ = flowkit.GatingStrategy()
    strategy_.add_transform("scatter", flowkit.transforms.LinearTransform(TOP, 0.0))
    strategy_.add_transform("colour", flowkit.transforms.LogicleTransform(TOP, 0.5, 4.5, 0.0))
    for i, population in enumerate(tree.populations):
        gate = population.gate
        parents = tuple(tree.paths[i].split("/")[:-1])
        if isinstance(gate, PolygonGate):
            dims = [flowkit.Dimension(d.source, d.compensation, d.transform) for d in gate.dimensions]
            made = flowkit.gates.PolygonGate(population.name, dims, list(gate.vertices))
        else:
            made = flowkit.gates.RectangleGate(
                population.name,
                [
                    flowkit.Dimension(
                        limit.dimension.source, limit.dimension.compensation, limit.dimension.transform,
                        range_min=limit.minimum, range_max=limit.maximum,
                    )
                    for limit in gate.limits
                ],
            )  # fmt: skip
        strategy_.add_gate(made, ("root", *parents))
    report = strategy_.gate_sample(flowkit.Sample(str(path))).report.set_index("gate_name")
    return [int(report.loc[population.name, "count"]) for population in tree.populations]


def in_turn(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median wall seconds of each work; they run in turn, so that all meet the same machine."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(found) for name, found in times.items()}


def resident_kib(key: str) -> int:
    """Read a memory figure of this process (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    raise RuntimeError(f"{key} is not in /proc/self/status")


def measure_memory(path: Path, small: Path) -> None:
    """Print the peak above the warmed-up level, in bytes; run in a fresh process."""
    tree = strategy()
    ours(small, tree)
    Path("/proc/self/clear_refs").write_text("5")
    before = resident_kib("VmRSS")
    ours(path, tree)
    print((resident_kib("VmHWM") - before) * 1024)


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        measure_memory(*options.memory)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        little, big, small = folder / "little.fcs", folder / "big.fcs", folder / "small.fcs"
        write_tube(little, options.events)
        swap_bytes(little, big)
        write_tube(small, 10_000)
        size = little.stat().st_size
        print(f"{options.events:,} events × {len(CHANNELS)} float32 parameters, {size / 1e6:.0f} MB")
        ours(small, strategy())  # compiles the kernels on a first use
        for n_populations in (8, 25):
            tree = strategy(n_populations)
            for word, path in (("big-endian", big), ("little-endian", little)):
                compare(path, tree, word, options.repeats)
        command = [sys.executable, __file__, "--memory", str(big), str(small)]
        peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    limit = (1.5 * size + 50e6) / 1e6
    print(f"peak memory above warm-up {peak / 1e6:.0f} MB = {peak / size:.2f} × the file (limit {limit:.0f} MB)")


def compare(path: Path, tree: GatingStrategy, word: str, repeats: int) -> None:
    """Time the programs on one file and one tree, and print the medians."""
    works: dict[str, Callable[[], list[int]]] = {
        "il2cyto": lambda: ours(path, tree),
        "il2cyto, 2 threads": lambda: ours(path, tree, 2),
        "FlowKit": lambda: theirs(path, tree),
    }
    counts = {name: work() for name, work in works.items()}
    if len({tuple(found) for found in counts.values()}) != 1:
        sys.exit(f"counts differ: {counts}")
    seconds = in_turn({**works, "numpy.fromfile": lambda: np.fromfile(path, dtype=np.uint8)}, repeats)
    n_events = read_fcs(path).n_events
    print(f"{word}, {len(tree.populations)} populations; medians of {repeats}")
    for name, value in seconds.items():
        rate = "" if name == "numpy.fromfile" else f"{n_events / value / 1e6:6.1f} M events/s"
        print(f"  {name:<20}{value:8.3f} s   {rate}")
    one = seconds["il2cyto"]
    print(
        f"  FlowKit / il2cyto {seconds['FlowKit'] / one:.1f}; il2cyto / numpy.fromfile "
        f"{one / seconds['numpy.fromfile']:.2f}; one thread / two {one / seconds['il2cyto, 2 threads']:.2f}"
    )


if __name__ == "__main__":
    main()
