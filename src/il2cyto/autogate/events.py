"""The events that a tube gives to learn from: a share of them, gated so far, on the axes of a rule."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from il2cyto.autogate.estimate import LearningTube
from il2cyto.autogate.order import Task
from il2cyto.gating.coordinates import linear_values
from il2cyto.gating.learning import Source
from il2cyto.gating.result import GatingResult
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.sample import Sample

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Teacher:
    """A tube that may teach.

    Parameters
    ----------
    tube_id, subject, batch
        From the sheets; a control has no subject.
    source
        What it may teach as.
    treated
        Whether it was drawn after a first dose; then it teaches only rules that take any sample.
    sample
        Its events, or a share of them.
    omitted
        Marker or channel that its stain lacks, for ``fmo``.
    """

    tube_id: str
    batch: str
    source: Source
    sample: Sample
    subject: str = ""
    treated: bool = False
    omitted: tuple[str, ...] = ()

    def teaches(self, source: Source, task: Task) -> bool:
        """Whether the tube is of this source for a rule."""
        if source == "sample":
            return self.source == "sample"
        if source == "untreated":
            return self.source == "sample" and not self.treated
        if source == "fmo":
            return self.source == "fmo" and task.dimensions[0].label in self.omitted
        return self.source == source


def thinned(sample: Sample, n_events: int) -> Sample:
    """Return at most `n_events` of the events, spread evenly over the acquisition.

    The same events are taken whatever else is learnt, and their order is that of the file.
    """
    if sample.n_events <= n_events:
        rows = np.arange(sample.n_events)
    else:
        rows = np.linspace(0, sample.n_events - 1, n_events).round().astype(np.int64)
    stride = sample.layout.stride
    data = np.ascontiguousarray(sample.data.reshape(-1, stride)[rows]).reshape(-1)
    return replace(sample, data=data, n_events=len(rows), path=None, data_offset=None)


def learning_tube(teacher: Teacher, strategy: GatingStrategy, task: Task, source: Source) -> LearningTube | None:
    """Return the events of a rule's population on its axes; ``None`` where the tube lacks a marker.

    Parameters
    ----------
    teacher
        The tube.
    strategy
        With all that has been learnt so far in place.
    task
        The rule.
    source
        What the tube teaches as.
    """
    return seen(teacher.tube_id, strategy.apply(teacher.sample), task, source)


def seen(tube_id: str, result: GatingResult, task: Task, source: Source) -> LearningTube | None:
    """Return the events of a gated tube for a rule; ``None`` where the population or a marker is not there."""
    strategy, sample = result.strategy, result.sample
    if task.population >= 0 and result.reasons[task.population]:
        return None
    inside = (
        result.membership(strategy.paths[task.population])
        if task.population >= 0
        else np.ones(sample.n_events, dtype=np.bool_)
    )
    events = np.flatnonzero(inside)
    columns = []
    for dimension in task.dimensions:
        values = linear_values(result, dimension, events)
        if values is None:
            return None
        columns.append(
            values if dimension.transform is None else strategy.transforms[dimension.transform].apply(values)
        )
    return LearningTube(tube_id, source, np.stack(columns, axis=1), sample.sha256 or "")
