"""Bring batches onto one scale: learnt from control donors, applied as a recorded step, raw values kept."""

from il2cyto.normalise.clusters import ClusteredNormalisation, apply_clusters, learn_clusters
from il2cyto.normalise.quantiles import Normalisation, Unnormalised, apply, learn_quantiles
from il2cyto.normalise.stored import from_json, to_json

__all__ = [
    "ClusteredNormalisation",
    "Normalisation",
    "Unnormalised",
    "apply",
    "apply_clusters",
    "from_json",
    "learn_clusters",
    "learn_quantiles",
    "to_json",
]
