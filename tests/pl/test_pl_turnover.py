"""The picture of a turnover model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from il2cyto.errors import TableError
from il2cyto.pl.turnover import turnover

DAY = np.arange(1, 31)
CURVE = pd.DataFrame({"day": DAY, "ratio": 1 + 0.05 * DAY, "lower": 1 + 0.03 * DAY, "upper": 1 + 0.08 * DAY})
SEEN = pd.DataFrame({"subject": ["A", "A", "B", "B"], "day": [5, 20, 6, 21], "ratio": [1.5, 0.0, np.nan, 0.8]})


def test_curve_band_doses_and_points() -> None:
    ax = turnover(CURVE[::-1], [1, 2, 3, 3], SEEN, title="Treg", note="decay fixed at 0.2 per day")
    one, points, line, ticks = ax.lines
    assert one.get_ydata() == [1.0, 1.0]
    np.testing.assert_array_equal(points.get_xydata(), [[5, 1.5], [21, 0.8]])
    np.testing.assert_allclose(line.get_xydata(), CURVE[["day", "ratio"]])
    (band,) = ax.collections
    edge = band.get_paths()[0].get_extents()
    assert (edge.x0, edge.x1, edge.y0, edge.y1) == pytest.approx((1, 30, 1.03, 3.4))
    assert ticks.get_xdata().tolist() == [1, 2, 3]
    # in the strip below every ratio
    inside = ax.transAxes.inverted().transform(ax.transData.transform((1, 0.8)))[1]
    assert max(ticks.get_ydata()) < inside
    assert 0 not in ax.get_xticks()
    assert ax.get_title(loc="left") == "Treg; 1 zero, not drawn"
    assert [text.get_text() for text in ax.texts] == ["decay fixed at 0.2 per day"]
    assert ax.get_yscale() == "log"
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["observed (n = 2)", "95 % limits", "predicted, median subject", "3 doses"]


def test_without_points_or_doses_on_given_axes() -> None:
    own = Figure().add_subplot()
    ax = turnover(CURVE, [], colour="#D55E00", ax=own)
    assert ax is own
    assert len(ax.collections) == 1
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["95 % limits", "predicted, median subject"]


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(TableError, match="curve lacks the column lower, upper"):
        turnover(CURVE[["day", "ratio"]], [])
    with pytest.raises(TableError, match="observed lacks the column subject"):
        turnover(CURVE, [], SEEN[["day", "ratio"]])
    with pytest.raises(TableError, match="above 0"):
        turnover(CURVE.assign(lower=0.0), [])
    with pytest.raises(TableError, match="above 0"):
        turnover(CURVE[:0], [])
