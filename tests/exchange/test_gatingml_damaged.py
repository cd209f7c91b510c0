"""Gating-ML files with a slip in them: each is read as it stands or is one clear error, and nothing else."""

from __future__ import annotations

import random
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lxml import etree
from random_gatingml import COLUMNS, SPILL, document

from il2cyto.errors import GatingMLError, Il2CytoError
from il2cyto.exchange import read_gating
from il2cyto.exchange.export_gatingml import write_gatingml
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gating import GatingStrategy
from il2cyto.sample import Sample

TEXTS = (
    "", "x", " ", "-1", "0", "1e999", "-1e400", "NaN", "INF", "-INF", "é", "FCS", "uncompensated", "true", "1e308",
    "5e-324", "root", "a/b", "not x",
)  # fmt: skip


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    path = tmp_path_factory.mktemp("damaged") / "a.fcs"
    write_fcs(np.column_stack(list(COLUMNS.values())), path, channels=list(COLUMNS), spillover=SPILL)
    return read_fcs(path)


def damage(root: etree._Element, chance: random.Random) -> None:
    elements = [element for element in root.iter() if isinstance(element.tag, str)]
    one = chance.choice(elements)
    what = chance.randrange(6)
    if what == 0 and one.attrib:
        del one.attrib[chance.choice(list(one.attrib))]
    elif what == 1 and one.attrib:
        one.set(chance.choice(list(one.attrib)), chance.choice(TEXTS))
    elif what == 2 and one is not root:
        one.getparent().remove(one)
    elif what == 3 and one is not root:
        one.addnext(deepcopy(one))
    elif what == 4:
        one.text = chance.choice(TEXTS)
    elif what == 5 and one is not root:
        other = chance.choice(elements)
        if other is not one and other not in list(one.iterdescendants()):
            other.append(one)


def read(path: Path) -> tuple[GatingStrategy | None, str]:
    try:
        return read_gating(path), ""
    except GatingMLError as error:
        return None, str(error)


@given(document(), st.randoms(use_true_random=False))
@settings(
    max_examples=60,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
def test_a_slip_is_one_clear_error(
    sample: Sample, tmp_path_factory: pytest.TempPathFactory, content: bytes, chance: random.Random
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for slips in (1, 1, 2, 4):
        root = etree.fromstring(content)
        for _ in range(slips):
            damage(root, chance)
        (folder / "damaged.xml").write_bytes(etree.tostring(root))
        tree, told = read(folder / "damaged.xml")
        if tree is None:
            assert told.startswith("damaged.xml")
            assert "\n" not in told
            assert len(told) < 500
            continue
        # a channel that the file lacks is found out when it is applied; nothing else may happen
        try:
            counts = tree.apply(sample).counts["count"]
        except Il2CytoError:
            pass
        else:
            assert counts.between(0, sample.n_events).all()
        write_gatingml(tree, folder / "written.xml")
        assert sorted(read_gating(folder / "written.xml").paths) == sorted(tree.paths)
