"""After warming up, nothing that gating a tube needs is compiled any more."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import numpy as np
from numba.core.dispatcher import Dispatcher

import il2cyto.kernels
from il2cyto.exchange import read_gating
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gating.warm import warm_up
from il2cyto.steps.pictures import tube_pictures
from il2cyto.steps.quality import follow
from il2cyto.study.packaged import packaged_strategy


def signatures() -> dict[str, list[str]]:
    found = {}
    for module in pkgutil.iter_modules(il2cyto.kernels.__path__):
        for name, value in vars(importlib.import_module(f"il2cyto.kernels.{module.name}")).items():
            if isinstance(value, Dispatcher):
                found[f"{module.name}.{name}"] = [str(one) for one in value.signatures]
    return found


def test_warming_up_leaves_nothing_to_compile(tmp_path: Path) -> None:
    warm_up()
    before = signatures()
    assert any(before.values())
    treg = packaged_strategy("treg")
    panel = (treg / "panel.csv").read_text()
    channels = [line.split(",")[1] for line in panel.splitlines()[1:] if line and not line.startswith("#")]
    every = dict.fromkeys([*channels, "FSC-A", "FSC-H", "SSC-A", "Time"])
    names = [name for name in every if name and name != "absent"]
    values = np.random.default_rng(0).uniform(1, 1e4, (300, len(names))).astype("f4")
    fluorescent = [name for name in names if name.endswith("-A") and not name.startswith(("FSC", "SSC"))]
    write_fcs(
        values, tmp_path / "a.fcs", channels=names, timestep=0.01, spillover=(fluorescent, np.eye(len(fluorescent)))
    )
    strategy = read_gating(treg)
    sample = read_fcs(tmp_path / "a.fcs")
    tube_pictures(strategy.apply(sample), "T", follow(sample, strategy.panel, ()))
    assert signatures() == before
    assert not warm_up(lambda: (_ for _ in ()).throw(AssertionError("compiles again"))).compiled
