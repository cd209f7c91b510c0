"""Curves for each cluster of cells, as CytoNorm has them, for shifts that differ between populations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from il2cyto.errors import ParameterError
from il2cyto.normalise.quantiles import (
    LEAST_EVENTS,
    LEVELS,
    Normalisation,
    apply,
    checked,
    events_of,
    known_batch,
    learn_quantiles,
)

FloatArray = NDArray[np.float64]

LEAST_CLUSTER_EVENTS: Final = 50


@dataclass(frozen=True)
class ClusteredNormalisation:
    """A normalisation for each cluster, and one of all events where a cluster is too small.

    Parameters
    ----------
    centres
        Centre of each cluster, one number for each of ``whole.channels``, transformed scale.
    whole
        Learnt from all events.
    parts
        One for each centre; ``None`` where the cluster follows `whole`.
    reasons
        One for each centre: why it follows `whole`; empty where it has curves of its own.

    Raises
    ------
    ParameterError
        Lists of different lengths, or a part of other channels than the whole.
    """

    centres: tuple[tuple[float, ...], ...]
    whole: Normalisation
    parts: tuple[Normalisation | None, ...]
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.centres or not len(self.centres) == len(self.parts) == len(self.reasons):
            raise ParameterError("centres, parts and reasons must have one entry for each cluster: learn again")
        for place, (centre, part, reason) in enumerate(zip(self.centres, self.parts, self.reasons, strict=True)):
            if len(centre) != len(self.whole.channels) or not np.isfinite(centre).all():
                raise ParameterError(f"cluster {place}: wanted {len(self.whole.channels)} finite numbers as its centre")
            if (part is None) != bool(reason):
                raise ParameterError(f"cluster {place}: wanted either curves or a reason: learn again")
            if part is not None and (
                part.channels != self.whole.channels or part.n_events.keys() - self.whole.n_events
            ):
                raise ParameterError(f"cluster {place}: other channels or batches than the whole: learn again")


def learn_clusters(
    controls: Mapping[str, ArrayLike],
    channels: Sequence[str],
    *,
    n_clusters: int,
    seed: int,
    levels: Sequence[float] = LEVELS,
    min_events: int = LEAST_EVENTS,
    min_cluster_events: int = LEAST_CLUSTER_EVENTS,
    slope: float = 1.0,
) -> ClusteredNormalisation:
    """Learn curves for each cluster of the pooled control events.

    Parameters
    ----------
    controls, channels, levels, min_events, slope
        As for `learn_quantiles`. Batches with fewer than `min_events` stay out of the clustering.
    n_clusters
        How many clusters k-means makes.
    seed
        Seed of k-means.
    min_cluster_events
        A cluster with fewer events than this in the control of any batch follows the curves of all events, in every
        batch: curves with different goals within a cluster would set the batches apart.

    Returns
    -------
    ClusteredNormalisation
        For `apply_clusters`. The order of events and of batches does not matter.

    Raises
    ------
    ParameterError
        As for `learn_quantiles`; and where no control has enough events, or fewer events than clusters.

    Notes
    -----
    After CytoNorm (Van Gassen et al., Cytometry A 97 (2020) 268), which clusters with a self-organising map (FlowSOM);
    here it is k-means on the unscaled channels, in which each batch weighs the same.

    Examples
    --------
    >>> cells = np.concatenate([np.linspace(0.0, 1.0, 500), np.linspace(5.0, 6.0, 500)])[:, None]
    >>> other = cells + np.where(cells > 3, 0.6, 0.2)
    >>> learnt = learn_clusters({"a": cells, "b": other}, ["CD25"], n_clusters=2, seed=1)
    >>> apply_clusters(learnt, "a", [[0.5], [5.5]]).round(9).tolist()
    [[0.6], [5.8]]
    """
    if n_clusters < 1:
        raise ParameterError(f"n_clusters = {n_clusters}: give 1 or more")
    whole = learn_quantiles(controls, channels, levels=levels, min_events=min_events, slope=slope)
    tubes = {batch: events for batch, events in checked(controls, channels).items() if len(events) >= min_events}
    pooled = np.concatenate(list(tubes.values())) if tubes else np.empty((0, len(channels)))
    if len(pooled) < n_clusters:
        raise ParameterError(
            f"{len(pooled)} events in controls of at least {min_events}: too few for {n_clusters} clusters; "
            "learn_quantiles says which batches are too small"
        )
    weight = np.concatenate([np.full(len(events), 1.0 / len(events)) for events in tubes.values()])
    centres = _centres(pooled, weight, n_clusters, seed)
    nearest = {batch: assign(events, centres) for batch, events in tubes.items()}
    parts: list[Normalisation | None] = []
    reasons: list[str] = []
    for cluster in range(n_clusters):
        inside = {batch: events[nearest[batch] == cluster] for batch, events in tubes.items()}
        small = min(inside, key=lambda batch: len(inside[batch]))
        if len(inside[small]) < min_cluster_events:
            reasons.append(f"batch {small!r} has {len(inside[small])} events in it, fewer than {min_cluster_events}")
            parts.append(None)
        else:
            reasons.append("")
            parts.append(learn_quantiles(inside, channels, levels=levels, min_events=min_cluster_events, slope=slope))
    return ClusteredNormalisation(tuple(map(tuple, centres.tolist())), whole, tuple(parts), tuple(reasons))


def apply_clusters(normalisation: ClusteredNormalisation, batch: str, values: ArrayLike) -> FloatArray:
    """Bring events of a batch onto the common scale, each by the curves of the cluster that it is nearest to.

    Parameters
    ----------
    normalisation
        From `learn_clusters`.
    batch
        The batch that the events were measured in.
    values
        Shape (n, p), finite, columns as ``normalisation.whole.channels``, on the scale that was learnt on.

    Returns
    -------
    numpy.ndarray
        A new array of shape (n, p). Within a cluster the order of events in a channel is kept; between clusters it
        need not be. A channel that ``unnormalised`` of the cluster's part names for any batch (all its control events
        there are zero, say) follows the curve of all events, in every batch.

    Raises
    ------
    ParameterError
        A batch that was not learnt, an array of the wrong shape, or a value that is not finite.
    """
    known_batch(batch, normalisation.whole.n_events)
    events = events_of(values, normalisation.whole.channels, f"batch {batch!r}")
    bad = int((~np.isfinite(events)).any(axis=1).sum())
    if bad:
        raise ParameterError(f"batch {batch!r}: {bad} events hold a value that is not finite and belong to no cluster")
    moved = apply(normalisation.whole, batch, events)
    nearest = assign(events, np.asarray(normalisation.centres))
    for cluster, part in enumerate(normalisation.parts):
        # a batch whose control was too small is in no part; `whole` leaves it as it is, with the reason
        if part is None or batch not in part.n_events:
            continue
        inside = nearest == cluster
        lacking = {one.channel for one in part.unnormalised}
        own = [column for column, channel in enumerate(part.channels) if channel not in lacking]
        moved[np.ix_(inside, own)] = apply(part, batch, events[inside])[:, own]
    return moved


def assign(events: FloatArray, centres: FloatArray) -> NDArray[np.intp]:
    """Index of the nearest centre of each event; the first of those equally near.

    Examples
    --------
    >>> assign(np.array([[0.0], [0.9], [0.5]]), np.array([[0.0], [1.0]])).tolist()
    [0, 1, 0]
    """
    best = np.full(len(events), np.inf)
    nearest = np.zeros(len(events), dtype=np.intp)
    for place, centre in enumerate(centres):
        distance = np.square(events - centre).sum(axis=1)
        nearer = distance < best
        best[nearer], nearest[nearer] = distance[nearer], place
    return nearest


def _centres(pooled: FloatArray, weight: FloatArray, n_clusters: int, seed: int) -> FloatArray:
    # sorted, because the seed draws events by their place; on one thread, because sums in another order round otherwise
    order = np.lexsort((weight, *pooled.T))
    with threadpool_limits(1):
        model = KMeans(n_clusters, n_init=10, random_state=seed).fit(pooled[order], sample_weight=weight[order])
    centres: FloatArray = np.asarray(model.cluster_centers_, dtype=np.float64)
    return centres
