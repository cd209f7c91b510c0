from __future__ import annotations

import base64

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from il2cyto.report.density import ALPHABET, LEVELS, pack


def unpack(text: str, size: int) -> list[int]:
    """What ``assets/pictures.js`` does."""
    levels: list[int] = []
    for character in text:
        code = ALPHABET.index(character)
        levels += [code + 1] if code < LEVELS else [0] * (code - LEVELS + 1)
    return levels + [0] * (size - len(levels))


def encode(values) -> str:
    return base64.b64encode(bytes(values)).decode()


def test_the_alphabet_needs_no_escape_in_json_or_html():
    assert not set(ALPHABET) & set("\"'&<>\\`")
    assert len(set(ALPHABET)) == len(ALPHABET) > LEVELS + 1


def test_levels_and_runs_by_hand():
    assert unpack(pack(encode([0, 0, 0, 1, 255, 0])), 6) == [0, 0, 0, 1, LEVELS, 0]
    assert len(pack(encode([0] * 4096))) <= 4096 / 30


@given(st.lists(st.one_of(st.just(0), st.integers(0, 255)), max_size=400))
def test_empty_stays_empty_and_levels_rise(values):
    levels = unpack(pack(encode(values)), len(values))
    assert len(levels) == len(values)
    assert [level == 0 for level in levels] == [value == 0 for value in values]
    exact = np.array(values) * LEVELS / 256
    assert np.all(np.abs(np.array(levels) - exact)[np.array(values) > 0] <= 1.0) if values else True
