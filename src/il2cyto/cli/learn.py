"""``il2cyto learn``: learn the gates of a study, to look at them or before single tubes are gated."""

from __future__ import annotations

from pathlib import Path

import typer

from il2cyto.cli.options import DataRoot, Jobs, Out, StudyFile, Verify


def learn(
    study: StudyFile,
    out: Out = Path("results"),
    jobs: Jobs = None,
    data_root: DataRoot = None,
    verify: Verify = False,
) -> None:
    """Learn the gates of a study from the tubes that may teach, and write them to learnt/ of the results folder.

    `run` does this by itself; `tube` wants it done. What has not changed is kept.
    Exit code 0: all done. 1: some gates are not estimable and nothing stands in for them. 2: the study is wrong.
    """
    from il2cyto.cli.run import cores, interruptible, say
    from il2cyto.steps.folder import results_folder
    from il2cyto.steps.journal import journal
    from il2cyto.steps.learn import learn_study
    from il2cyto.steps.learntfile import read_learnt
    from il2cyto.study.read import read_study

    found = read_study(study, data_root=data_root)
    with interruptible(None) as screen, results_folder(out, found.id, "il2cyto learn"), journal(out):
        ready = learn_study(found, out, jobs=jobs or cores(), verify=verify, stage=screen.stage)
    files = {record.learnt: record.tube for record in ready.records if record.learnt is not None}
    if not files:
        say("nothing to learn: no strategy of this study has rules, or gates.learn is false")
        raise typer.Exit(0)
    lost = 0
    for file, tube in files.items():
        gates = read_learnt(file)
        own = [gate for gate in gates if gate.status == "not_estimable"]
        lost += len(own)
        typer.echo(f"{tube}: {len(gates) - len(own)} of {len(gates)} gates estimated  {file.path}")
        for gate in own:
            typer.echo(f"  {gate.name.rpartition('/')[2]} ({gate.scope} {gate.unit}): {gate.reason}".replace(" )", ")"))
    raise typer.Exit(1 if lost else 0)
