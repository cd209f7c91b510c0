"""Quantile normalisation beside that of R CytoNorm, on public mass cytometry of one control in three batches.

Learnt from the first control tube of each batch, applied to the second, compared with what CytoNorm made of the second:
medians of 37 channels in three batches, arcsinh with cofactor 5.

Run ``python validation/normalisation.py REFERENCE``; ``--write FILE`` keeps the page.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import il2cyto as ic
from il2cyto.fcs import read_fcs
from il2cyto.normalise import apply, apply_clusters, learn_clusters, learn_quantiles
from il2cyto.provenance import write_text

COFACTOR: Final = 5.0
CLUSTERS: Final = (3, 5, 10)
SEED: Final = 1

Tubes = dict[str, NDArray[np.float64]]


class Batches(NamedTuple):
    """Events of each batch, arcsinh scale: what is learnt from, what is moved, and what CytoNorm made of it."""

    channels: tuple[str, ...]
    learn: Tubes
    test: Tubes
    cytonorm: Tubes


def read_batches(folder: Path) -> Batches:
    """Read the six tubes and CytoNorm's three, as `metadata.csv` says which is which."""
    channels = tuple((folder / "coding_detectors.txt").read_text(encoding="ascii").split())
    sheet = pd.read_csv(folder / "metadata.csv", dtype=str)
    learn: Tubes = {}
    test: Tubes = {}
    made: Tubes = {}
    for name, role, batch in sheet[["file_name", "reference", "batch"]].itertuples(index=False):
        events = _scaled(folder / "extdata" / name, channels)
        if role == "ref":
            learn[batch] = events
        else:
            test[batch], made[batch] = events, _scaled(folder / f"Norm_{name}", channels)
    return Batches(channels, learn, test, made)


def _scaled(path: Path, channels: tuple[str, ...]) -> NDArray[np.float64]:
    sample = read_fcs(path)
    return np.arcsinh(sample.linear([sample.index(name) for name in channels]) / COFACTOR)


def medians(tubes: Tubes) -> NDArray[np.float64]:
    """Medians, shape (batches, channels)."""
    return np.array([np.median(tubes[batch], axis=0) for batch in sorted(tubes)])


def compare(batches: Batches) -> pd.DataFrame:
    """One row a method: distance of medians to CytoNorm's, of single events to CytoNorm's, and between batches."""
    whole = learn_quantiles(batches.learn, batches.channels)

    def moved(by: Callable[[str, NDArray[np.float64]], NDArray[np.float64]]) -> Tubes:
        return {batch: by(batch, events) for batch, events in batches.test.items()}

    found = {"none (before)": (batches.test, ""), "quantiles": (moved(lambda b, x: apply(whole, b, x)), "")}
    for k in CLUSTERS:
        parts = learn_clusters(batches.learn, batches.channels, n_clusters=k, seed=SEED)
        own = sum(not reason for reason in parts.reasons)
        tubes = moved(lambda b, x, parts=parts: apply_clusters(parts, b, x))  # type: ignore[misc]
        found[f"quantiles in {k} clusters"] = (tubes, str(own))
    found["R CytoNorm"] = (batches.cytonorm, "")
    rows = []
    for method, (tubes, own) in found.items():
        distance = np.abs(medians(tubes) - medians(batches.cytonorm))
        events = np.concatenate([np.abs(tubes[batch] - batches.cytonorm[batch]).ravel() for batch in sorted(tubes)])
        spread = np.ptp(medians(tubes), axis=0)
        single = np.quantile(events, [0.5, 0.99, 1.0])
        rows.append((method, own, distance.mean(), distance.max(), *single, spread.mean(), spread.max()))
    columns = ["method", "own", "mean", "max", "event_median", "event_p99", "event_max", "spread_mean", "spread_max"]
    return pd.DataFrame(rows, columns=columns)


def ends(batches: Batches) -> tuple[float, float, float]:
    """Share of values between the outermost quantiles of their control, and the largest distance there and beyond."""
    whole = learn_quantiles(batches.learn, batches.channels)
    inside, distance = [], []
    for batch, events in batches.test.items():
        low, high = np.quantile(batches.learn[batch], [whole.levels[0], whole.levels[-1]], axis=0)
        inside.append((events >= low) & (events <= high))
        distance.append(np.abs(apply(whole, batch, events) - batches.cytonorm[batch]))
    held, far = np.concatenate(inside), np.concatenate(distance)
    return float(held.mean()), float(far[held].max()), float(far[~held].max())


def page(reference: Path) -> str:
    """The table as Markdown."""
    batches = read_batches(reference / "qc-and-batch")
    n = {len(events) for events in (*batches.learn.values(), *batches.test.values())}
    lines = [
        "# Quantile normalisation beside R CytoNorm",
        "",
        "`python validation/normalisation.py REFERENCE`",
        "",
        f"Python {platform.python_version()}, il2cyto {ic.__version__}, {date.today().isoformat()}.",
        "",
        f"Public mass cytometry: one control in {len(batches.learn)} batches, {len(batches.channels)} channels, "
        f"{' or '.join(map(str, sorted(n)))} events a tube. Learnt from",
        "the first control tube of each batch; the second was moved and is compared with what CytoNorm made of it.",
        f"All numbers on the scale arcsinh(x / {COFACTOR:g}).",
        "",
        "Medians: absolute difference to CytoNorm's over batches and channels. Events: the same for each value of each",
        "event. Between batches: highest less lowest median of a channel. Own: clusters with curves of their own; the",
        "rest follow the whole.",
        "",
        "| method | own | medians: mean | medians: max | events: median | events: 99 % | events: max "
        "| between batches: mean | max |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for method, own, *numbers in compare(batches).itertuples(index=False):
        lines.append(f"| {method} | {own} | " + " | ".join(f"{number:.5f}" for number in numbers) + " |")
    share, near, far = ends(batches)
    lines += [
        "",
        f"Quantiles over all events: {100 * share:.1f} % of values lie between the 1 % and 99 % quantiles of their",
        f"control; there no value is farther than {near:.3f} from CytoNorm's. Beyond, where il2cyto goes straight with",
        f"slope 1 and CytoNorm does not, one is {far:.2f} away.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description="Quantile normalisation beside R CytoNorm")
    parser.add_argument("reference", type=Path)
    parser.add_argument("--write", type=Path, help="Markdown file to write as well")
    given = parser.parse_args()
    text = page(given.reference)
    print(text)
    if given.write is not None:
        write_text(given.write, text)


if __name__ == "__main__":
    main()
