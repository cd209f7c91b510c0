"""Write the cuts and rules of a strategy as `il2cyto.gating.rules` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from il2cyto.gating.learning import Cut, LearnRule
from il2cyto.gating.notation import yaml_dimension, yaml_number, yaml_text, yaml_words


def cut_lines(cuts: Iterable[Cut], axes: Mapping[str, str]) -> list[str]:
    """Return cuts as the lines of ``strategy.yaml``; none for none.

    Parameters
    ----------
    cuts
        The thresholds.
    axes
        Transform in which each marker or channel is shown, as the file says it.
    """
    lines = []
    for cut in cuts:
        more = f", at: {yaml_number(cut.at)}"
        if cut.rule is not None:
            more += f", learn: {rule_text(cut.rule)}"
        lines.append(f"  {yaml_text(cut.name)}: {yaml_dimension(cut.dimension, axes, more)}")
    return ["cuts:", *lines] if lines else []


def rule_text(rule: LearnRule) -> str:
    """Return a rule as YAML on one line.

    Examples
    --------
    >>> print(rule_text(LearnRule("valley", "CD4", min_events=50)))
    {method: valley, population: CD4, scope: tube, from: [sample], min_events: 50}
    """
    parts = [
        f"method: {yaml_text(rule.method)}",
        f"population: {yaml_text(rule.population)}",
        f"scope: {rule.scope}",
        f"from: {yaml_words(rule.sources)}",
        *([f"borrow: {yaml_words(rule.borrow)}"] if rule.borrow else []),
        f"min_events: {rule.min_events}",
    ]
    if rule.options:
        options = (
            f"{yaml_text(key)}: {yaml_text(value) if isinstance(value, str) else yaml_number(value)}"
            for key, value in rule.options.items()
        )
        parts.append(f"options: {{{', '.join(options)}}}")
    if rule.why:
        parts.append(f"why: {yaml_text(rule.why)}")
    return f"{{{', '.join(parts)}}}"
