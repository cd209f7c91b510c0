"""``il2cyto run`` and its single steps, ``tube`` and ``visits``."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from il2cyto.cli.options import DataRoot, Jobs, Out, Reason, StudyFile, User, Verify

if TYPE_CHECKING:
    from il2cyto.cli.progress import Screen
    from il2cyto.steps.run import RunSummary
    from il2cyto.study.model import Study

_LATE = ("marker missing", "not begun", "NotGated")
_MOST_SHOWN = 20
#: What a shell reports of a program that ended by Ctrl-C.
INTERRUPTED = 130


class OnError(StrEnum):
    """What a bad tube does to the batch."""

    SKIP = "skip"
    STOP = "stop"


def run(
    study: StudyFile,
    out: Out = Path("results"),
    jobs: Jobs = None,
    data_root: DataRoot = None,
    on_error: Annotated[
        OnError, typer.Option("--on-error", help="Go on after a bad tube, or begin no other.")
    ] = OnError.SKIP,
    user: User = None,
    reason: Reason = None,
    verify: Verify = False,
) -> None:
    """Gate every tube of a study and write counts, visits, links, model and report.

    What an earlier run has done is kept where nothing that decides it has changed; a run that was killed goes on.
    Exit code 0: all done. 1: done, but failures.csv names tubes that failed. 2: the study is wrong, or nothing can be
    written; the message says which. 130: interrupted.
    """
    from il2cyto.study.read import read_study

    found = read_study(study, data_root=data_root)
    raise typer.Exit(run_and_tell(found, out, jobs, on_error, user=user, reason=reason, verify=verify))


def tube(
    study: StudyFile,
    tubes: Annotated[list[str], typer.Argument(metavar="TUBE_ID...", help="Tubes to gate.", show_default=False)],
    out: Out = Path("results"),
    jobs: Jobs = None,
    data_root: DataRoot = None,
    verify: Verify = False,
) -> None:
    """Gate single tubes, as workflows call it; `visits` then makes the tables. Several may run at the same time.

    Exit code 0: all done. 1: a tube failed. 2: the study is wrong.
    """
    from il2cyto.errors import ParameterError, did_you_mean
    from il2cyto.steps.folder import results_folder
    from il2cyto.steps.gate import gate_records
    from il2cyto.steps.journal import journal
    from il2cyto.steps.learn import not_learnt, with_learnt
    from il2cyto.study.read import read_study

    found = read_study(study, data_root=data_root)
    by_id = {record.tube_id: record for record in found.records}
    for name in tubes:
        if name not in by_id:
            raise ParameterError(f"{study.name} has no tube {name!r}{did_you_mean(name, list(by_id))}")
    waiting = not_learnt(found, out)
    if waiting:
        raise ParameterError(
            f"the gates of {', '.join(waiting)} are not learnt yet: `il2cyto learn {study.name} --out {out.name}` "
            "goes before `il2cyto tube`"
        )
    by_id = {record.tube_id: record for record in with_learnt(found, out).records}
    records = [by_id[name] for name in dict.fromkeys(tubes)]
    with (
        interruptible(len(records)) as screen,
        results_folder(out, found.id, "il2cyto tube", shared=True),
        journal(out),
    ):
        outcomes = gate_records(
            records, out, jobs=jobs or cores(), isolate=True, verify=verify, tube_done=screen.tube, stage=screen.stage
        )
    failed = sum(outcome.error is not None for outcome in outcomes.values())
    reused = sum(outcome.reused for outcome in outcomes.values())
    say(f"{len(records) - failed} of {len(records)} tubes gated{_unchanged(reused)}; {failed} failed")
    raise typer.Exit(1 if failed else 0)


def visits(
    study: StudyFile,
    out: Out = Path("results"),
    data_root: DataRoot = None,
    user: User = None,
    reason: Reason = None,
    verify: Verify = False,
) -> None:
    """Write every table, the model and the report from the tubes that are gated; gates nothing.

    Exit code 0: all done. 1: done, but failures.csv names tubes that failed or are not gated. 2: the study is wrong.
    """
    from il2cyto.steps.run import finish_study
    from il2cyto.study.read import read_study

    found = read_study(study, data_root=data_root)
    with interruptible(None) as screen:
        summary = finish_study(found, out, user=user, reason=reason, verify=verify, stage=screen.stage)
    _tell(summary, out)
    raise typer.Exit(summary.exit_code)


def run_and_tell(
    study: Study,
    out: Path,
    jobs: int | None,
    on_error: OnError = OnError.SKIP,
    *,
    user: str | None = None,
    reason: str | None = None,
    verify: bool = False,
) -> int:
    """Run a study with its progress on the screen and return the exit code."""
    from il2cyto.steps.run import run_study

    with interruptible(len(study.records)) as screen:
        summary = run_study(
            study, out, jobs=jobs or cores(), on_error=on_error, isolate=True, user=user, reason=reason, verify=verify,
            tube_done=screen.tube, stage=screen.stage,
        )  # fmt: skip
    _tell(summary, out)
    return summary.exit_code


def say(text: str) -> None:
    """Print on standard error."""
    typer.echo(text, err=True)


def cores() -> int:
    """Return how many cores may be used."""
    from il2cyto.steps.pool import allowed_cores

    return allowed_cores()


def _tell(summary: RunSummary, out: Path) -> None:
    from il2cyto.steps.audit import log_head

    # a tube that fails has been named when it did; the others are named now
    late = [finding for finding in summary.findings if finding.severity == "failure" and finding.kind in _LATE]
    for finding in late[:_MOST_SHOWN]:
        say(f"{finding.kind}  {finding.record.tube_id if finding.record else ''}  {finding.whole}")
    if len(late) > _MOST_SHOWN:
        say(f"… and {len(late) - _MOST_SHOWN} more in {out / 'paths.csv'}")
    say(
        f"{summary.n_gated} of {summary.n_tubes} tubes gated{_unchanged(summary.n_reused)}; "
        f"{plural(summary.n_failures, 'failure')}, {plural(summary.n_notices, 'notice')} in {out / 'failures.csv'}; "
        f"report: {out / 'report.html'}"
    )
    say(f"Names of files and whole messages: {out / 'paths.csv'} (identifying: do not share)")
    say(f"Head of the audit log, to be kept elsewhere for `il2cyto audit verify --head`: {log_head(out)}")


def _unchanged(reused: int) -> str:
    return f" ({reused} unchanged since the last run)" if reused else ""


def plural(count: int, word: str) -> str:
    """Return a number with its word.

    Examples
    --------
    >>> plural(1, "tube"), plural(0, "tube")
    ('1 tube', '0 tubes')
    """
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


@contextmanager
def interruptible(total: int | None) -> Iterator[Screen]:
    """Show progress; end by Ctrl-C, or by a signal that asks for the end, with a word on how to go on."""
    from il2cyto.cli.progress import tube_progress

    screen: Screen | None = None
    restore = _listen()
    try:
        with tube_progress(total) as screen:
            yield screen
    except KeyboardInterrupt:
        done = (
            f"{screen.n_done if screen else 0} of {total} tubes are done and kept"
            if total
            else "nothing is half-written"
        )
        say(f"Interrupted: {done}; the same command goes on from here:")
        say(f"  {shlex.join(['il2cyto', *sys.argv[1:]])}")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        restore()


def _listen() -> Callable[[], None]:
    """Treat a request to end, or a closed terminal, like Ctrl-C; return what undoes that."""

    def interrupt(number: int, frame: object) -> NoReturn:
        raise KeyboardInterrupt

    old = {}
    for name in (signal.SIGTERM, signal.SIGHUP):
        try:
            if signal.getsignal(name) != signal.SIG_IGN:  # nohup means it
                old[name] = signal.signal(name, interrupt)
        except ValueError:  # not the main thread, as in tests and notebooks
            break

    def undo() -> None:
        for name, handler in old.items():
            signal.signal(name, handler)

    return undo
