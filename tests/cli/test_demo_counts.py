"""The counts that the READMEs of packaged strategies tell are those of a whole run of the demo, with gates learnt."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType

import pandas as pd
import pytest

from il2cyto.cli.app import demo
from il2cyto.simulate import PANELS


@pytest.fixture(scope="module")
def demo_counts(validation: Callable[[str], ModuleType]) -> ModuleType:
    return validation("demo_counts")


@pytest.fixture(scope="module")
def counts(demo_counts: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    found = demo_counts.run_demo(tmp_path_factory.mktemp("demo") / "d")
    assert isinstance(found, pd.DataFrame)
    return found


def test_the_trial_is_that_of_the_command(demo_counts: ModuleType) -> None:
    asked = {name: one.default for name, one in inspect.signature(demo).parameters.items()}
    wanted = {"n_subjects": asked["subjects"], "seed": asked["seed"], "lymphocytes": asked["events"]}
    assert wanted == demo_counts.DEMO


@pytest.mark.parametrize("strategy", [panel.strategy for panel in PANELS.values()])
def test_the_readme_tells_what_the_demo_finds(demo_counts: ModuleType, counts: pd.DataFrame, strategy: str) -> None:
    text = (demo_counts.GATING / strategy / "README.md").read_text(encoding="utf-8")
    table = text.partition(demo_counts.HEAD)[2].partition("\n\n")[0]
    told = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    found = demo_counts.expected(counts, strategy)
    assert [row[0].strip("`") for row in told] == [name for name, *_ in found]
    for (_, *kept), (name, *now) in zip(told, found, strict=True):
        assert [bool(cell) for cell in kept] == [bool(cell) for cell in now], name
        for before, after in zip(kept, now, strict=True):
            # another processor may round an event across a gate, and learn a gate a little elsewhere
            numbers = [[float(part.replace(",", "")) for part in cell.split("–") if part] for cell in (before, after)]
            assert numbers[1] == pytest.approx(numbers[0], rel=0.02, abs=3 if "–" in after else 0.02), name
