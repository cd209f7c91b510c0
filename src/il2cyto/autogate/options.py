"""Options of a rule as the methods take them."""

from __future__ import annotations

from il2cyto.errors import StrategyError
from il2cyto.gating.learning import LearnRule


def number(rule: LearnRule, name: str, default: float) -> float:
    """Return an option that is a number.

    Raises
    ------
    StrategyError
        If the strategy gives a word.
    """
    value = rule.options.get(name, default)
    if isinstance(value, str):
        raise StrategyError(
            "method {method}: {name} {value!r}: wanted a number", method=rule.method, name=name, value=value
        )
    return float(value)


def word(rule: LearnRule, name: str, default: str, known: tuple[str, ...] = ()) -> str:
    """Return an option that is a word, one of `known` where any are given.

    Raises
    ------
    StrategyError
        If it is a number or none of them.
    """
    value = rule.options.get(name, default)
    if not isinstance(value, str) or (known and value not in known):
        raise StrategyError(
            "method {method}: {name} {value!r}: wanted {known}",
            method=rule.method, name=name, value=value, known=" or ".join(known) or "a word",
        )  # fmt: skip
    return value
