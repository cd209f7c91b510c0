"""Rewrite the counts of the demo in the READMEs of ``gating/``.

The last two columns of each table of populations are the events in the gate and the true events of ``P001-BL-<tube>``
of the demo, with the template's gates. The table of expected counts is what a whole run of the demo finds, with gates
learnt. Run ``python validation/demo_counts.py`` after the simulator, learning or a packaged strategy has changed;
``tests/simulate/test_recovery.py`` and ``tests/cli/test_demo_counts.py`` fail until then.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pandas as pd

from il2cyto.fcs import read_fcs
from il2cyto.gating import read_strategy
from il2cyto.provenance import write_text
from il2cyto.simulate import PANELS, plan_trial, simulate_trial, write_tube
from il2cyto.steps.run import run_study
from il2cyto.study import read_study

GATING = Path(__file__).parents[1] / "gating"
#: Above the rows of expected counts.
HEAD = (
    "| population | % of parent, BL | % of parent, M1, IL2 | % of parent, M1, STD | cells/µL, BL | events |\n"
    "|---|---:|---:|---:|---:|---:|\n"
)
ARMS = ("IL2", "STD")
#: What `il2cyto demo` simulates where nothing is asked for.
DEMO = {"n_subjects": 6, "seed": 20200815, "lymphocytes": 50_000}


def rewrite(tube: str, folder: Path) -> int:
    """Rewrite one README and return the number of its rows."""
    spec = next(one for one in plan_trial().tubes if one.tube_id == f"P001-BL-{tube}")
    true = write_tube(spec, folder).counts.set_index("name")["events"]
    strategy = read_strategy(GATING / PANELS[tube].strategy)
    gated = strategy.apply(read_fcs(folder / "fcs" / f"{spec.tube_id}.fcs")).counts.set_index("name")["count"]
    path = GATING / PANELS[tube].strategy / "README.md"

    def row(found: re.Match[str]) -> str:
        name = found.group(2)
        return f"{found.group(1)} {int(gated[name]):,} | {int(true[name]):,} |"

    text, n = re.subn(
        r"^(\| `([^`]+)` \|.*\| `il2cyto\.[^`]+` \|) [\d,]+ \| [\d,]+ \|$",
        row,
        path.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    write_text(path, text)
    return n


def run_demo(folder: Path) -> pd.DataFrame:
    """Return ``counts.csv`` of the demo as `il2cyto demo` makes it."""
    trial = simulate_trial(folder, jobs=2, **DEMO)
    run_study(read_study(trial.study), folder / "results", jobs=2)
    return pd.read_csv(folder / "results" / "counts.csv")


def expected(counts: pd.DataFrame, strategy: str) -> list[tuple[str, ...]]:
    """Return the cells of the table of a strategy: medians over tubes, and the fewest and the most events of a tube."""
    own = counts[counts["strategy"] == strategy]
    rows = []
    for name, some in own.groupby("name", sort=False):
        baseline, later = some[some["visit"] == "BL"], some[some["visit"] == "M1"]
        shares = [part["percent_parent"].median() for part in (baseline, *(later[later["arm"] == a] for a in ARMS))]
        # gates above lymphocytes have no cells/µL
        counted = baseline["cells_per_ul"].dropna()
        per_ul = counted.median() if len(counted) else float("nan")
        events = f"{int(some['count'].min()):,}–{int(some['count'].max()):,}"
        told = "" if pd.isna(per_ul) else f"{per_ul:.3g}" if per_ul < 100 else f"{per_ul:.0f}"
        rows.append((str(name), *(f"{share:.3g}" for share in shares), told, events))
    return rows


def rewrite_expected(counts: pd.DataFrame, strategy: str) -> int:
    """Rewrite the table of expected counts of one README and return the number of its rows."""
    path = GATING / strategy / "README.md"
    before, _, after = path.read_text(encoding="utf-8").partition(HEAD)
    rest = after[after.index("\n\n") :] if "\n\n" in after else "\n"
    rows = expected(counts, strategy)
    write_text(path, before + HEAD + "\n".join(f"| `{name}` | {' | '.join(cells)} |" for name, *cells in rows) + rest)
    return len(rows)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for name in PANELS:
            print(f"{name}: {rewrite(name, Path(scratch))} rows")
        found = run_demo(Path(scratch) / "demo")
        for panel in PANELS.values():
            print(f"{panel.strategy}: {rewrite_expected(found, panel.strategy)} rows of expected counts")
