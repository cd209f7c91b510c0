"""Body surface, SELENA-SLEDAI and ESSDAI, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.derive import essdai, essdai_band, sledai, sledai_band
from il2cyto.derive.scores import ESSDAI, SLEDAI
from il2cyto.derive.surface import FORMULAS, body_surface_m2
from il2cyto.errors import ParameterError, TableError


@pytest.mark.parametrize(
    ("height", "weight", "areas"),
    [
        (140, 32, (1.116, 1.110, 1.127, 1.090)),
        (110, 18, (0.742, 0.740, 0.741, 0.730)),
        (160, 50, (1.491, 1.487, 1.501, 1.450)),
    ],
)
def test_areas_by_hand(height: float, weight: float, areas: tuple[float, ...]) -> None:
    names = ("mosteller", "haycock", "dubois", "chinese_paediatric")
    assert [float(body_surface_m2(height, weight, name)) for name in names] == pytest.approx(areas, abs=6e-4)


def test_arrays_gaps_and_nonsense() -> None:
    found = body_surface_m2([140.0, np.nan, 110.0], [32.0, 30.0, np.nan])
    np.testing.assert_allclose(found, [np.sqrt(140 * 32 / 3600), np.nan, np.nan])
    assert np.isnan(body_surface_m2(np.nan, 30.0, "chinese_paediatric"))
    with pytest.raises(ParameterError, match=r"formula 'mostellar': no such formula \(did you mean 'mosteller'\?\)"):
        body_surface_m2(140, 32, "mostellar")
    with pytest.raises(ParameterError, match="weight_kg 0: a body has more than 0"):
        body_surface_m2(140, [32, 0])


@given(st.floats(60, 190), st.floats(6, 120), st.sampled_from(sorted(FORMULAS)))
def test_a_larger_child_has_more_surface(height: float, weight: float, name: str) -> None:
    area = body_surface_m2(height, weight, name)
    assert 0.1 < area < 4
    # the piecewise formula drops by 0.1 m² at 30 kg
    if name != "chinese_paediatric":
        assert body_surface_m2(height + 1, weight + 1, name) > area


def test_the_formula_in_pieces_drops_at_thirty_kilograms() -> None:
    assert float(body_surface_m2(130, 30, "chinese_paediatric")) == pytest.approx(1.15)
    assert float(body_surface_m2(130, 30.001, "chinese_paediatric")) == pytest.approx(1.05, abs=1e-4)


NO_SIGN = dict.fromkeys(SLEDAI, 0)
NO_DOMAIN = dict.fromkeys(ESSDAI, 0)


def test_totals_of_the_forms() -> None:
    assert sledai(NO_SIGN) == 0
    assert sledai(dict.fromkeys(SLEDAI, 1)) == 105
    assert sledai(NO_SIGN | {"proteinuria": 1, "rash": 1, "low_complement": 1, "leukopenia": 1}) == 9
    assert essdai(NO_DOMAIN) == 0
    assert essdai({name: levels[-1] for name, (_, levels) in ESSDAI.items()}) == 123
    # 3·1 + 2·2 + 2·1 + 5·2 + 1·2
    some = {"constitutional": 1, "glandular": 2, "articular": 1, "central_nervous_system": 2, "biological": 2}
    assert essdai(NO_DOMAIN | some) == 21


def test_part_of_a_form_is_no_total() -> None:
    with pytest.raises(TableError, match=r"SELENA-SLEDAI: rash missing; the total needs all 24 items"):
        sledai({name: 0 for name in SLEDAI if name != "rash"})
    with pytest.raises(TableError, match=r"cutaneous, pulmonary, renal and 2 more missing"):
        essdai(dict.fromkeys(list(ESSDAI)[:4] + list(ESSDAI)[7:10], 0))
    with pytest.raises(TableError, match=r"no item is called 'hematuria' \(did you mean 'haematuria'\?\)"):
        sledai(NO_SIGN | {"hematuria": 1})
    with pytest.raises(TableError, match="rash is 2; a descriptor is present"):
        sledai(NO_SIGN | {"rash": 2})
    with pytest.raises(TableError, match="central_nervous_system is 1; its levels are 0, 2, 3"):
        essdai(NO_DOMAIN | {"central_nervous_system": 1})


def test_bands() -> None:
    assert [sledai_band(score) for score in (0, 1, 5, 6, 10, 11, 19, 20, 105)] == [
        "none", "mild", "mild", "moderate", "moderate", "high", "high", "very high", "very high",
    ]  # fmt: skip
    assert [essdai_band(score) for score in (0, 4, 5, 13, 14, 123)] == [
        "low", "low", "moderate", "moderate", "high", "high",
    ]  # fmt: skip


@given(st.dictionaries(st.sampled_from(sorted(SLEDAI)), st.integers(0, 1)))
def test_a_sign_more_never_lowers_the_total(signs: dict[str, int]) -> None:
    total = sledai(NO_SIGN | signs)
    for name in SLEDAI:
        assert sledai(NO_SIGN | signs | {name: 1}) in (total, total + SLEDAI[name])
