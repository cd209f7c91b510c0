"""A table that FlowJo exported, as a calibration table of FlowJo 9."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from lxml import etree

from il2cyto.exchange.flowjo9.axes import read_tables
from il2cyto.transforms import FlowJoBiex

pytestmark = pytest.mark.reference

#: width -7.943282, one negative decade, 4.41854 positive ones, top 262144.000029, as the file's name says.
GIVEN = 'biexponentialDecades="4.418540" biexponentialNegDecades="1" biexponentialWidth="-7.943282"'


@pytest.mark.parametrize("step", [1, 45])
def test_scale_of_a_table_is_found_from_its_pairs(reference: Path, step: int) -> None:
    (path,) = (reference / "gatingml2-set1" / "flowjo_xforms").glob("*.csv")
    rows = [(float(c), float(v)) for c, v in list(csv.reader(path.read_text().splitlines()))[1:]][::step]
    text = ",".join(f"{c:g},{v}" for c, v in rows)
    root = etree.fromstring(
        f'<Workspace><CalibrationTables><Table name="m &lt;FITC-A&gt;" {GIVEN}>{text}</Table></CalibrationTables>'
        "</Workspace>"
    )
    (table,) = read_tables(root)
    scale = table.axis.transform
    assert isinstance(scale, FlowJoBiex)
    assert scale.length == pytest.approx(4096, abs=45)
    if step == 1:
        assert scale.length == 4096
        assert scale.maximum == pytest.approx(262144.000029, rel=2e-6)
        found = scale.apply([v for _, v in rows])
        np.testing.assert_allclose(found, [c for c, _ in rows], atol=0.02)
