"""Rewrite the counts of the demo tube in the READMEs of ``gating/``.

The last two columns of each table of populations are the events in the gate and the true events of ``P001-BL-<tube>``
of the demo. Run ``python validation/demo_counts.py`` after the simulator or a packaged strategy has changed;
``tests/simulate/test_recovery.py`` fails until then.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from il2cyto.fcs import read_fcs
from il2cyto.gating import read_strategy
from il2cyto.provenance import write_text
from il2cyto.simulate import PANELS, plan_trial, write_tube

GATING = Path(__file__).parents[1] / "gating"


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


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for name in PANELS:
            print(f"{name}: {rewrite(name, Path(scratch))} rows")
