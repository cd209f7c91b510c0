"""Bring batches onto one scale: learnt from control donors, applied as a recorded step, raw values kept."""

from il2cyto.normalise.clusters import ClusteredNormalisation, apply_clusters, learn_clusters
from il2cyto.normalise.gates import common_position, origin
from il2cyto.normalise.quantiles import Normalisation, Unnormalised, apply, learn_quantiles
from il2cyto.normalise.stored import from_json, to_json

__all__ = [
    "ClusteredNormalisation",
    "Normalisation",
    "Unnormalised",
    "apply",
    "apply_clusters",
    "common_position",
    "from_json",
    "learn_clusters",
    "learn_quantiles",
    "origin",
    "to_json",
]
