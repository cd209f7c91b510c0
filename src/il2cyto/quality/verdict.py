"""One verdict for a tube, from its numbers and the limits of the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from il2cyto.study.quality import Quality

PASS, REVIEW, FAIL = "pass", "review", "fail"
#: From the best to the worst.
VERDICTS: Final = (PASS, REVIEW, FAIL)
_CALLED: Final = {"pass": PASS, "warn": REVIEW, "fail": FAIL}


@dataclass(frozen=True)
class Verdict:
    """A verdict with what led to it, the gravest first."""

    verdict: str
    reasons: tuple[str, ...]


def judge_tube(metrics: Mapping[str, float | None], details: Mapping[str, str], quality: Quality, tube: str) -> Verdict:
    """Compare the numbers of a tube with the limits of its type.

    Parameters
    ----------
    metrics
        Numbers by the ids of the rules; what is ``None`` or missing is not judged.
    details
        What a number is about, for the reason.
    quality
        Limits of the study.
    tube
        Tube type.

    Examples
    --------
    >>> from il2cyto.study.quality import default_quality
    >>> judge_tube({"events": 900.0, "unstable": 3.0}, {}, default_quality(), "NK")
    Verdict(verdict='review', reasons=('events 900 events, wanted at least 2500 (hard at least 500)',))
    """
    found: list[Verdict] = []
    for key, rule in quality.rules.items():
        value = metrics.get(key)
        band = rule.for_tube(tube)
        if value is None or band.empty:
            continue
        verdict = _CALLED[band.verdict(value)]
        if verdict != PASS:
            about = f" ({details[key]})" if details.get(key) else ""
            said = f"{key} {value:.4g} {rule.unit}{about}, wanted {band.text()}"
            found.append(Verdict(verdict, (said,)))
    return join_verdicts(found)


def join_verdicts(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the worst of several verdicts with all their reasons, those of the worst first.

    Examples
    --------
    >>> join_verdicts([Verdict("pass", ()), Verdict("review", ("a",)), Verdict("fail", ("b",))])
    Verdict(verdict='fail', reasons=('b', 'a'))
    """
    ordered = sorted(verdicts, key=lambda one: -VERDICTS.index(one.verdict))
    if not ordered:
        return Verdict(PASS, ())
    return Verdict(ordered[0].verdict, tuple(reason for one in ordered for reason in one.reasons))
