"""A progress bar with the failures above it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from il2cyto.steps.tube import TubeOutcome


class Screen:
    """What a run tells the person who waits."""

    def __init__(self, progress: Progress, total: int | None) -> None:
        self._progress = progress
        self.n_done = 0
        self._task = progress.add_task("gating", total=total)

    def tube(self, outcome: TubeOutcome) -> None:
        """Advance by one tube; print why it failed, if it did."""
        if outcome.error is not None:
            error = outcome.error
            told = f"{escape(outcome.tube_id)}  {error.kind}: {escape(error.message)}"
            self._progress.console.print(f"[red]failed[/red]  {told}")
        self.n_done += 1
        self._progress.advance(self._task)

    def stage(self, name: str) -> None:
        """Name what is being done."""
        self._progress.update(self._task, description=name)


@contextmanager
def tube_progress(total: int | None) -> Iterator[Screen]:
    """Show a bar over `total` tubes on standard error; without a number, what is being done alone."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Screen(progress, total)
