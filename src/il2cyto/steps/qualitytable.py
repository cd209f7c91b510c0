"""The table ``quality.csv``: one row per tube with its verdict, why, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from il2cyto.quality.settings import differing_settings
from il2cyto.quality.verdict import FAIL, REVIEW, VERDICTS, Verdict, join_verdicts, judge_tube
from il2cyto.steps.tube import TubeOutcome
from il2cyto.study.model import Study, TubeRecord
from il2cyto.study.quality import FROM_CHECKS, default_quality

if TYPE_CHECKING:
    import pandas as pd

    from il2cyto.steps.failures import Finding
    from il2cyto.steps.tables import TubeFacts

#: Columns of ``quality.csv`` before the numbers.
_FIRST: Final = (
    "tube_id", "subject", "arm", "visit", "tube", "batch", "instrument", "quality", "quality_reasons", "compensation",
    "n_marked", "n_removed", "removed",
)  # fmt: skip
#: All of its columns.
QUALITY_COLUMNS: Final = (*_FIRST, *default_quality().rules, *FROM_CHECKS, "not_evaluable")
_CALLED = {"warn": REVIEW, "fail": FAIL}


def quality_table(
    study: Study,
    outcomes: Mapping[str, TubeOutcome],
    facts: Mapping[str, TubeFacts],
    checks: pd.DataFrame,
) -> pd.DataFrame:
    """Return one row per tube of the sheet; a tube that was not gated fails, with the reason.

    Parameters
    ----------
    study
        With its limits.
    outcomes
        What became of the tubes.
    facts
        Of those that were gated.
    checks
        From `counts.check_counts`.
    """
    import pandas as pd

    odd = _settings(study, facts)
    checked = _checks(checks)
    rows = []
    for record in study.records:
        found = facts.get(record.tube_id)
        row: dict[str, Any] = {
            "tube_id": record.tube_id, "subject": record.subject, "arm": record.arm, "visit": record.visit,
            "tube": record.tube, "batch": record.batch or "", "instrument": record.instrument or "",
        }  # fmt: skip
        if found is None:
            outcome = outcomes.get(record.tube_id)
            why = outcome.error.public if outcome is not None and outcome.error is not None else "it was not gated"
            rows.append({**row, "quality": FAIL, "quality_reasons": why})
            continue
        quality = found.quality
        metrics = {**quality["metrics"], "settings": float(len(odd[record.tube_id]))}
        details = {**quality["details"], "settings": "; ".join(odd[record.tube_id][:5])}
        of_checks = checked.get(record.tube_id, {})
        verdict = join_verdicts(
            [judge_tube(metrics, details, study.quality, record.tube), *(one for one, _ in of_checks.values())]
        )
        rows.append(
            {
                **row,
                "quality": verdict.verdict,
                "quality_reasons": "; ".join(verdict.reasons),
                "compensation": quality["compensation"],
                "n_marked": quality["n_marked"],
                "n_removed": quality["n_removed"],
                "removed": " ".join(quality["removed"]),
                **metrics,
                **{name: value for name, (_, value) in of_checks.items()},
                "not_evaluable": "; ".join(f"{name}: {why}" for name, why in quality["reasons"].items()),
            }
        )
    table = pd.DataFrame(rows, columns=list(QUALITY_COLUMNS))
    numbers = [name for name in QUALITY_COLUMNS if name in default_quality().rules or name in FROM_CHECKS]
    table = table.astype(dict.fromkeys(numbers, "float64"))
    return table.astype({"n_marked": "Int64", "n_removed": "Int64"})


def with_quality(counts: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Return the counts table with the verdict on the tube of each row, and its reasons.

    A sum of tubes bears the worst verdict of theirs, with all reasons.
    """
    known = {
        row["tube_id"]: Verdict(row["quality"], tuple(filter(None, [row["quality_reasons"]])))
        for row in quality.to_dict("records")
    }
    joined = {}
    for tube_ids in counts["tube_id"].unique():
        parts = [known[one] for one in str(tube_ids).split("+") if one in known]
        verdict = join_verdicts(parts)
        joined[tube_ids] = (verdict.verdict, "; ".join(verdict.reasons))
    return counts.assign(
        quality=counts["tube_id"].map({key: value for key, (value, _) in joined.items()}).astype(object),
        quality_reasons=counts["tube_id"].map({key: value for key, (_, value) in joined.items()}).astype(object),
    )


def quality_findings(study: Study, quality: pd.DataFrame) -> tuple[Finding, ...]:
    """Notices about gated tubes whose quality fails; those to review stand in ``quality.csv``."""
    from il2cyto.steps.failures import Finding

    records = {record.tube_id: record for record in study.records}
    # a tube that was not gated is a failure already
    failed = quality[quality["quality"].eq(FAIL) & quality["n_marked"].notna()]
    return tuple(
        Finding(
            "notice", "quality", records[tube_id], "quality failed", f"{tube_id}: {why}", f"{tube_id}: {why}",
            "see quality.csv and the report; its counts stand and bear the verdict",
        )
        for tube_id, why in zip(failed["tube_id"], failed["quality_reasons"], strict=True)
    )  # fmt: skip


def _settings(study: Study, facts: Mapping[str, TubeFacts]) -> dict[str, tuple[str, ...]]:
    def group(record: TubeRecord) -> tuple[str, str, str]:
        return record.tube, record.batch or "", record.instrument or ""

    tubes = {
        record.tube_id: (
            group(record),
            {name: (voltage, gain) for name, voltage, gain in facts[record.tube_id].quality["settings"]},
        )
        for record in study.records
        if record.tube_id in facts
    }
    return differing_settings(tubes)


def _checks(checks: pd.DataFrame) -> dict[str, dict[str, tuple[Verdict, float]]]:
    """Verdicts and values of the checks that have a say, by tube and check; of replicates that were summed for each."""
    found: dict[str, dict[str, tuple[Verdict, float]]] = {}
    for row in checks[checks["check"].isin(FROM_CHECKS)].to_dict("records"):
        verdict = Verdict(VERDICTS[0], ())
        if row["verdict"] in _CALLED:
            said = f"{row['check']} {row['value']:.4g} {row['unit']}, wanted {row['limit']}"
            verdict = Verdict(_CALLED[row["verdict"]], (said,))
        for tube_id in str(row["tube_id"]).split("+"):
            found.setdefault(tube_id, {})[str(row["check"])] = (verdict, float(row["value"]))
    return found
