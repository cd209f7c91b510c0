"""The map of correlations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from il2cyto import pl
from il2cyto.errors import TableError

TABLE = pd.DataFrame(
    [
        ("treg", "live/CD4/Treg", "IL-6", "all", 0.7, 0.01, "estimated"),
        ("treg", "live/CD4/Treg", "TNF", "all", -0.3, 0.4, "estimated"),
        ("nk", "live/NK", "IL-6", "all", np.nan, np.nan, "not_estimable"),
        ("nk", "live/NK", "TNF", "all", 0.1, 0.8, "estimated"),
        ("nk", "live/NK", "TNF", "IL2", 0.9, 0.02, "estimated"),
    ],
    columns=["strategy", "population", "analyte", "arm", "r", "p_adjusted", "status"],
)


def test_cells_marks_and_strokes() -> None:
    ax = pl.correlations(TABLE)
    (image,) = ax.get_images()
    shown = np.ma.filled(image.get_array().astype(float), np.nan)
    np.testing.assert_array_equal(shown, [[0.7, -0.3], [np.nan, 0.1]])
    assert image.get_clim() == (-1, 1)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["CD4/Treg · treg", "live/NK · nk"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["IL-6", "TNF"]
    assert [line.get_xydata().tolist() for line in ax.lines] == [[[0.0, 0.0]]]
    assert [(text.get_text(), text.get_position()) for text in ax.texts] == [("/", (0, 1))]
    assert ax.get_title(loc="left").startswith("all subjects; dot: adjusted p < 0.10")


def test_one_arm() -> None:
    ax = pl.correlations(TABLE, arm="IL2")
    assert [text.get_text() for text in ax.get_yticklabels()] == ["live/NK"]
    assert ax.get_title(loc="left").startswith("IL2;")
    with pytest.raises(TableError, match=r"arm = 'IL3': no correlation of it \(did you mean 'IL2'\?\)"):
        pl.correlations(TABLE, arm="IL3")


def test_correlations_of_the_joint_model_have_no_arms() -> None:
    joint = TABLE[TABLE["arm"] == "all"].drop(columns="arm").rename(columns={"r": "r_within"})
    (image,) = pl.correlations(joint).get_images()
    shown = np.ma.filled(image.get_array().astype(float), np.nan)
    np.testing.assert_array_equal(shown, [[0.7, -0.3], [np.nan, 0.1]])
    with pytest.raises(TableError, match="no correlation"):
        pl.correlations(joint.iloc[:0])
