"""Time and memory of a whole run as the number of tubes grows.

    python benchmarks/batch_scaling.py [--tubes 10 100 1000 2000] [--events 20000] [--jobs 2]

A few tubes are simulated once. Every tube of a study is a file of its own with one keyword that no other has, so that
no two hashes are equal and nothing is reused; a quarter of the tubes each is lyse-no-wash with beads, Treg, Th17, NK.
For each number of tubes `il2cyto run` gates the study in a fresh folder, and is run once more when nothing has changed.
Printed: seconds of both on the clock and of all processors (CPU), per tube, and the highest resident memory of all
processes together, with pages that they share counted once (PSS, read 5 times a second). On a machine that others use
too, the seconds of the processors tell more than the clock.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.simulate import simulate_trial

TYPES = ("TBNK", "TREG", "TH17", "NK")
VISITS = ("BL", "M1", "M2", "M3", "M6")
PERIOD_S = 0.2


def templates(folder: Path, events: int) -> dict[str, bytes]:
    """Return one file per tube type, of `events` events each."""
    simulate_trial(
        folder, n_subjects=2, visits=("BL",), seed=5, lymphocytes=events, tbnk_lymphocytes=events, missing_visits=0
    )
    found = {}
    for name in TYPES:
        sample = read_fcs(next((folder / "fcs").glob(f"*-BL-{name}.fcs")))
        spill = sample.spillover
        write_fcs(
            sample.raw[:events], folder / "cut.fcs", channels=list(sample.names),
            markers=[channel.pns for channel in sample.channels], timestep=0.01,
            spillover=None if spill is None else (list(spill.detectors), spill.values),
            keywords={"BENCHMARK": "000000"},
        )  # fmt: skip
        found[name] = (folder / "cut.fcs").read_bytes()
        assert found[name].count(b"000000") >= 1
    return found


def write_study(folder: Path, tubes: dict[str, bytes], n: int) -> Path:
    """Write a study of `n` tubes whose files all differ."""
    (folder / "fcs").mkdir(parents=True)
    rows = ["tube_id,subject,arm,diagnosis,sex,age_years,visit,collection_date,tube,fcs,beads_per_test,blood_volume_ul"]
    for i in range(n):
        draw, kind = divmod(i, len(TYPES))
        # two subjects at a time, one of each arm, through their visits
        pair, place = divmod(draw, 2 * len(VISITS))
        subject, visit = 2 * pair + place % 2, place // 2
        name = f"S{subject:03d}-{VISITS[visit]}-{TYPES[kind]}"
        head, _, rest = tubes[TYPES[kind]].partition(b"000000")
        (folder / "fcs" / f"{name}.fcs").write_bytes(head + b"%06d" % (i + 1) + rest)
        arm = ("IL2", "STD")[subject % 2]
        beads = "52000,50" if kind == 0 else ","
        day = f"2021-{visit + 1:02d}-{subject % 28 + 1:02d}"
        rows.append(f"{name},S{subject:03d},{arm},SLE,F,11,{VISITS[visit]},{day},{TYPES[kind]},fcs/{name}.fcs,{beads}")
    (folder / "samples.csv").write_text("\n".join(rows) + "\n")
    visits = "\n".join(
        f"  {v}: {{label: {v}, number: {i}{', baseline: true' * (i == 0)}}}" for i, v in enumerate(VISITS)
    )
    (folder / "study.yaml").write_text(
        "study: SCALING\ntitle: Many tubes\narms: {IL2: {label: IL-2}, STD: {label: Standard, reference: true}}\n"
        f"visits:\n{visits}\n"
        'tubes:\n  TBNK: {strategy: "il2cyto:tbnk", count: {route: beads, beads: beads}}\n'
        '  TREG: {strategy: "il2cyto:treg", count: {route: chained, population: CD4, from: TBNK/CD4}}\n'
        '  TH17: {strategy: "il2cyto:th17", count: {route: chained, population: CD4, from: TBNK/CD4}}\n'
        '  NK: {strategy: "il2cyto:nk", count: {route: chained, population: NK, from: TBNK/NK}}\n'
        "samples: samples.csv\n"
    )
    return folder / "study.yaml"


def tree_bytes(root: int) -> int:
    """Resident memory of a process and all below it, shared pages counted once."""
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except (OSError, ValueError):
            continue
    return total


class Watch(threading.Thread):
    """Notes the highest memory of a process tree, and when its tubes were gated."""

    def __init__(self, pid: int, out: Path, n: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.out, self.n = pid, out, n
        self.peak = self.peak_gating = 0
        self.gated_at = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        """Look until told that it is over."""
        while not self.over.wait(PERIOD_S):
            self.peak = max(self.peak, tree_bytes(self.pid))
            if not self.gated_at:
                self.peak_gating = self.peak
                log = self.out / "il2cyto.log"
                if log.exists() and log.read_bytes().count(b" gated in ") >= self.n:
                    self.gated_at = time.monotonic()


def measure(study: Path, out: Path, n: int, jobs: int) -> tuple[float, float, float, int, int]:
    """Run once; return seconds, seconds of processors, seconds until the last tube, and peaks of memory of both."""
    started, before = time.monotonic(), processors()
    command = [sys.executable, "-m", "il2cyto", "run", study, "--out", out, "--jobs", str(jobs)]
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)
    watch = Watch(process.pid, out, n)
    watch.start()
    _, told = process.communicate()
    watch.over.set()
    watch.join()
    if process.returncode != 0:
        sys.exit(f"the run failed:\n{told}")
    ended = time.monotonic()
    gating = (watch.gated_at or ended) - started
    return ended - started, processors() - before, gating, watch.peak, watch.peak_gating


def processors() -> float:
    """Seconds that processors have worked for the runs so far, workers included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the curve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tubes", type=int, nargs="+", default=[10, 100, 1000, 2000])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    options = parser.parse_args()
    print(f"{options.events} events per tube, --jobs {options.jobs}, Python {platform.python_version()}, "
          f"{len(os.sched_getaffinity(0))} cores; load of the machine before: {os.getloadavg()[0]:.1f}")  # fmt: skip
    print("tubes   all s  gating s  CPU s  CPU s/tube  again CPU s  peak MB gating  peak MB all  page MB")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        tubes = templates(folder / "templates", options.events)
        for n in options.tubes:
            study = write_study(folder / str(n), tubes, n)
            out = folder / str(n) / "results"
            total, used, gating, peak, peak_gating = measure(study, out, n, options.jobs)
            page = (out / "report.html").stat().st_size
            _, again, *_ = measure(study, out, n, options.jobs)
            print(
                f"{n:5d} {total:7.0f} {gating:9.0f} {used:6.0f} {used / n:11.3f} {again:12.0f} "
                f"{peak_gating / 1e6:15.0f} {peak / 1e6:12.0f} {page / 1e6:8.1f}",
                flush=True,
            )
            shutil.rmtree(folder / str(n))


if __name__ == "__main__":
    main()
