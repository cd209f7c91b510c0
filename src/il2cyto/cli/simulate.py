"""``il2cyto simulate``: a trial with known truth, as large as the real one or smaller."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder for the simulated trial.")] = Path("il2cyto-trial"),
    subjects: Annotated[int, typer.Option("--subjects", min=2, help="Subjects, in two arms.")] = 46,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same bytes.")] = 20200815,
    events: Annotated[
        int, typer.Option("--events", min=100, help="Live lymphocytes per Treg, Th17 and NK tube.")
    ] = 50_000,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Processes; default: the cores. Changes no byte.")
    ] = None,
    visits: Annotated[
        str, typer.Option("--visits", help="Visits to simulate, separated by commas.")
    ] = "BL,M1,M3,M6,M12",
    separable: Annotated[
        bool, typer.Option("--separable/--overlapping", help="Keep populations apart, or let them overlap as they do.")
    ] = False,
    faulty: Annotated[
        float, typer.Option("--faulty", min=0, max=1, help="Share of tubes with a clog, drift or margin events.")
    ] = 0.10,
    batch_shift: Annotated[
        float, typer.Option("--batch-shift", min=0, max=10, help="Factor on differences between instruments; 0: none.")
    ] = 1.0,
    confounding: Annotated[
        float, typer.Option("--confounding", help="How much sicker the treated arm is at baseline, in SD.")
    ] = 0.0,
    controls: Annotated[
        bool, typer.Option("--controls/--no-controls", help="Write single stains, FMO and donor tubes of each batch.")
    ] = True,
) -> None:
    """Simulate a trial of low-dose interleukin-2 with known truth; no patient is behind any number.

    Writes study.yaml, sheets, fcs/, controls/ and truth/ (every cell's label, every count, every parameter). FCS files
    of an earlier run in the folder are replaced.
    """
    import os
    import time
    from dataclasses import replace

    from il2cyto.simulate import WHOLE, simulate_trial

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    design = replace(
        WHOLE,
        n_subjects=subjects,
        seed=seed,
        lymphocytes=events,
        tbnk_lymphocytes=min(WHOLE.tbnk_lymphocytes, max(events, 2_500)),
        visits=tuple(name.strip() for name in visits.split(",") if name.strip()),
        separable=separable,
        faulty_share=faulty,
        batch_shift=batch_shift,
        confounding=confounding,
        controls=controls,
    )
    started = time.perf_counter()
    last = [0.0]

    def done(n: int, total: int) -> None:
        now = time.perf_counter()
        if n == total or now - last[0] > 10:
            last[0] = now
            typer.echo(f"{n} of {total} files", err=True)

    trial = simulate_trial(folder, design, jobs=jobs or cores, done=done)
    typer.echo(
        f"Simulated {len(trial.plan.subjects)} subjects, {len(trial.plan.tubes)} tubes, "
        f"{len(trial.plan.missing)} missed visits in {time.perf_counter() - started:.0f} s: {trial.study}",
        err=True,
    )
    typer.echo(f"The known truth is in {folder / 'truth'}; docs/simulation.md says what stands there.", err=True)
