"""Simulated cells beside the public ones that the overlap was fixed from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from il2cyto.simulate.overlap import MEASURED


@pytest.fixture(scope="module")
def realism(validation: Callable[[str], ModuleType]) -> ModuleType:
    return validation("realism")


def test_two_known_components_are_found(realism: ModuleType) -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(0, 1, 30_000), rng.normal(4, 1, 10_000)])
    distance, wrong = realism.separation(values)
    assert distance == pytest.approx(4.0, abs=0.1)
    # by quadrature for these weights: 1.9 %
    assert wrong == pytest.approx(0.019, abs=0.004)


@pytest.mark.reference
def test_shares_lie_near_those_of_seven_laboratories(realism: ModuleType, reference: Path) -> None:
    table = realism.shares(reference / "hipc" / "hipc_lyoplate_cv.csv", n=60).set_index("population")
    for name in ("06 CD4", "14 CD4- CD8+", "05 CD3", "06 CD19", "21 activated Treg", "11 CXCR3- CCR6+ Th17"):
        assert table.loc[name, "p5"] < table.loc[name, "hipc"] < table.loc[name, "p95"], name
    # fewer Treg and Th1 than the three donors: medians are those of children, stated in docs/simulation.md
    assert 0.5 < table.loc["07 127lo 25+", "median"] / table.loc["07 127lo 25+", "hipc"] < 0.9


@pytest.mark.reference
def test_the_public_file_gives_the_separation_that_the_table_keeps(realism: ModuleType, reference: Path) -> None:
    real = realism.real_cd4(reference / "aurora-treg-th-nk" / "ND050_15_Ctrl_Tetramer.fcs")
    made = realism.simulated_cd4()
    for marker in ("CD25", "CXCR3", "CCR4", "CD161", "CD127", "CD45RA"):
        low, high = MEASURED[marker]
        distance, _ = realism.separation(real[marker])
        assert low - 0.1 <= distance <= high + 0.1, marker
        # simulated markers overlap to the same order
        assert 0.4 * low < realism.separation(made[marker])[0] < 1.7 * high, marker
