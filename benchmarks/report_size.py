"""A report of a large study: size, time to write, peak memory, time to open in Chromium.

    python benchmarks/report_size.py [--tubes 700] [--gates 15] [--events 20000] [--keep report.html]

The study is made up: subjects × 5 visits × 4 tube types, densities of parents with `--events` events (the most that a
picture of a real tube holds) in 40 patterns per gate, counts. Pictures come from an iterator, as in a run. Memory is
the peak resident size while the page is written and that before it, in a process of its own. Opening is measured in
headless Chromium with a page from a file: `performance.now()` when its script begins and ends, at the load event after
a layout, and when every section stands; then how long 30 pictures of a contact sheet take to draw.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from il2cyto.report import Arm, ReportInputs, Visit, axis_ticks, gate_picture, write_report
from il2cyto.transforms import Logicle

VISITS = tuple(Visit(f"V{i}", f"Month {month}", i) for i, month in enumerate((0, 1, 3, 6, 12)))
TUBES = ("TBNK", "TREG", "TH17", "NK")
PATTERNS = 40
SCALE = Logicle(T=262144.0, W=0.5, M=4.5, A=0.0)


def paths(gates: int) -> list[str]:
    """A chain of five gates with the others below it."""
    names = [f"population_{i:02d}" for i in range(gates)]
    trunk = "/".join(names[:5])
    return ["/".join(names[: i + 1]) if i < 5 else f"{trunk}/{names[i]}" for i in range(gates)]


def make_pictures(gates: int, events: int, seed: int = 3) -> list[list[dict[str, Any]]]:
    """Pictures of every gate in `PATTERNS` variants."""
    rng = np.random.default_rng(seed)
    made = []
    for gate in range(gates):
        variants = []
        for _ in range(PATTERNS):
            n = events if gate < 5 else max(200, events >> (gate - 4))
            share = rng.uniform(0.3, 0.7)
            dim = rng.normal([0.3, 0.3], [0.07, 0.06], (int(n * share), 2))
            bright = rng.normal([0.68, 0.62], [0.06, 0.08], (n - len(dim), 2))
            points = np.vstack([dim, bright])
            outline = [[0.5, 0.42], [0.9, 0.42], [0.9, 0.9], [0.5, 0.85]]
            picture = gate_picture(points[:, 0], points[:, 1], outline=outline)
            inside = points[(points[:, 0] > 0.5) & (points[:, 1] > 0.42)]
            axes = {
                name: {
                    "label": f"CD{10 * gate + k}", "fluorochrome": "BV421", "unit": "", "scale": "logicle",
                    "straight": None, "range": picture[f"{name}_range"],
                    "ticks": axis_ticks(SCALE.apply, *picture[f"{name}_range"]),
                }
                for k, name in enumerate("xy")
            }  # fmt: skip
            variants.append(
                {
                    "type": "polygon", "status": "estimated", "reason": "", "complement": False, "count": len(inside),
                    "parent_count": n, "percent_parent": 100 * len(inside) / n, **axes, "bins": 64,
                    "density": picture["density"], "n_outside": picture["n_outside"], "outline": outline,
                    "limits": None, "center": np.median(inside, axis=0).tolist(), "spread": inside.std(axis=0).tolist(),
                }
            )  # fmt: skip
        made.append(variants)
    return made


def make_inputs(n_tubes: int, gates: int, events: int) -> ReportInputs:
    """The tables of a study, with its pictures as an iterator."""
    rng = np.random.default_rng(11)
    rows, sheet = [], []
    names = paths(gates)
    n_subjects = -(-n_tubes // (len(VISITS) * len(TUBES)))
    for s in range(n_subjects):
        subject, arm = f"P{s + 1:03d}", ("IL2", "STD")[s % 2]
        for visit in VISITS:
            for tube in TUBES:
                if len(sheet) == n_tubes:
                    break
                tube_id = f"{subject}-{visit.id}-{tube}"
                sheet.append((tube_id, subject, arm, visit.id, tube, f"B{s // 8}", f"Canto-{s % 3 + 1}"))
                for path in names:
                    value = float(np.exp(rng.normal(4, 1)))
                    rows.append(
                        (subject, arm, "SLE", visit.id, tube, tube_id, 1, tube.lower(), path, path.split("/")[-1],
                         "bench.v1", int(value * 6), 20000, value / 200, "beads", value, 0.9 * value, 1.1 * value, 0.05,
                         value < 20, "estimated", "", "below_lloq" if value < 20 else "")
                    )  # fmt: skip
    columns = [
        "subject", "arm", "diagnosis", "visit", "tube", "tube_id", "n_tubes", "strategy", "population", "name",
        "definition", "count", "parent_count", "percent_parent", "route", "cells_per_ul", "lower", "upper", "cv",
        "below_lloq", "status", "reason", "flags",
    ]  # fmt: skip
    counts = pd.DataFrame(rows, columns=columns)
    pictures = make_pictures(gates, events)

    def plots() -> Iterator[tuple[str, dict[str, Any]]]:
        for i, (tube_id, *_) in enumerate(sheet):
            content = {
                "tube_id": tube_id,
                "n_events": 20000 + i,
                "instrument": {"cytometer": "FACSCanto II", "channels": []},
                "acquisition": {"duration": 60.0, "rate": [300 + i % 50] * 60, "margins": [["SSC-A", 0.5]]},
                "gates": [{"population": path, **pictures[k][(i * 7 + k) % PATTERNS]} for k, path in enumerate(names)],
            }
            # as a run reads them: text of one tube at a time
            yield tube_id, json.loads(json.dumps(content))

    return ReportInputs(
        study_id="BENCH",
        title="A large study that never was",
        registry="",
        arms=(Arm("IL2", "Low-dose IL-2"), Arm("STD", "Standard therapy", reference=True)),
        visits=VISITS,
        counts=counts,
        visit_counts=counts,
        failures=pd.DataFrame(
            columns=["severity", "step", "tube_id", "subject", "visit", "tube", "kind", "message", "remedy"]
        ),
        missing_visits=pd.DataFrame(columns=["subject", "arm", "visit"]),
        plots=plots(),
        tubes=pd.DataFrame(
            sheet, columns=["tube_id", "subject", "arm", "visit", "tube", "batch", "instrument"], dtype=object
        ),
        default_population="treg/" + names[5],
    )


def write(arguments: argparse.Namespace, path: Path) -> None:
    """Write the page and print seconds and memory as JSON (the work of a process of its own)."""
    inputs = make_inputs(arguments.tubes, arguments.gates, arguments.events)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, worked = time.perf_counter(), time.process_time()
    write_report(inputs, path)
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "cpu": cpu, "before_mb": before / 1024, "peak_mb": peak / 1024}))


MEASURE = """<script>
addEventListener("load", () => {
  const height = document.body.offsetHeight, loaded = performance.now();
  window.finish();
  const whole = document.body.offsetHeight && performance.now();
  const canvases = [...document.querySelectorAll("#sheet-cards canvas")].slice(0, 30);
  for (const canvas of canvases) canvas.paint();
  const drawn = performance.now() - whole, nodes = document.querySelectorAll("*").length;
  const heap = performance.memory ? Math.round(performance.memory.usedJSHeapSize / 1e6) : null;
  const text = JSON.stringify({ began: window.began, ended: window.ended, loaded, height, whole, drawn,
    pictures: canvases.length, heap, nodes });
  document.body.append(Object.assign(document.createElement("pre"), { id: "measured", textContent: text }));
});
</script></body>"""


def open_in_chromium(page: Path, chromium: str) -> dict[str, Any]:
    """Open a copy of the page that measures itself."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "report.html"
        text = page.read_text(encoding="utf-8").replace("</body>", MEASURE)
        before, _, after = text.rpartition('(function () {\n"use strict";')
        timed = f'{before}window.began = performance.now();(function () {{\n"use strict";{after}'
        copy.write_text(
            timed.replace("\n})();", "\nwindow.finish = finish;\n})();window.ended = performance.now();"),
            encoding="utf-8",
        )
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--timeout=60000", "--window-size=1400,1000",
            f"--user-data-dir={folder}/profile", "--dump-dom", copy.as_uri() + "#sheet",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300, check=True)
    found = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout)
    return dict(json.loads(found.group(1))) if found else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tubes", type=int, default=700)
    parser.add_argument("--gates", type=int, default=15)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--keep", type=Path, help="where to leave the page")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments, arguments.write)
        return
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
    print(f"{arguments.gates} gates per tube, parents of up to {arguments.events:,} events")
    for tubes in (arguments.tubes // 4, arguments.tubes):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.html"
            command = [
                sys.executable, __file__, "--tubes", str(tubes), "--gates", str(arguments.gates), "--events",
                str(arguments.events), "--write", str(path),
            ]  # fmt: skip
            written = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            above = written["peak_mb"] - written["before_mb"]
            print(
                f"{tubes} tubes: {path.stat().st_size / 1e6:.1f} MB, written in {written['seconds']:.1f} s "
                f"({written['cpu']:.1f} s of processor), "
                f"peak memory {written['peak_mb']:.0f} MB ({above:.0f} MB above the tables)"
            )
            if chromium is not None:
                shown = open_in_chromium(path, chromium)
                began, ended, loaded, whole = (shown[name] / 1000 for name in ("began", "ended", "loaded", "whole"))
                print(
                    f"  Chromium: page read after {began:.2f} s, script done {ended:.2f} s, loaded and laid out "
                    f"{loaded:.2f} s, every section stands {whole:.2f} s; "
                    f"{shown['pictures']} pictures drawn in {shown['drawn']:.0f} ms; {shown['nodes']:,} elements, "
                    f"JavaScript heap {shown['heap']} MB"
                )
            if arguments.keep and tubes == arguments.tubes:
                shutil.copy(path, arguments.keep)


if __name__ == "__main__":
    main()
