"""The page about counts says what the program does: its defaults, flags and examples."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from il2cyto.counts import COUNT_COLUMNS
from il2cyto.study.checks import ROLES, default_checks
from il2cyto.study.model import ErrorModel, Limits

PAGE = (Path(__file__).parents[2] / "docs" / "counts.md").read_text(encoding="utf-8")


def test_every_check_stands_there_with_its_limits() -> None:
    section = PAGE.split("## Checks")[1].split("The limits are defaults")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    shown = {row[0].strip("`"): (row[1], row[2], row[3]) for row in rows}
    limits = {"bead_events": "at least `limits.min_beads`", "bead_share_cv": "none: the value is reported"}
    assert shown == {
        rule.id: (rule.about, rule.unit, rule.band.text() or limits[rule.id])
        for rule in default_checks().rules.values()
    }


@pytest.mark.parametrize("name", ["cv_pipetting", "cv_lot", "cv_volume", "cv_alc", "cv_wbc"])
def test_the_errors_are_the_defaults(name: str) -> None:
    assert f"`{name}` {getattr(ErrorModel(), name):g}" in PAGE


def test_limits_roles_and_columns() -> None:
    limits = Limits()
    assert f"`limits.lloq_events` ({limits.lloq_events}), `limits.lod_events` ({limits.lod_events})" in PAGE
    assert f"`limits.min_beads` ({limits.min_beads})" in PAGE
    assert [role for role in ROLES if f"`{role}`" not in PAGE] == []
    assert {"bead_lot", "cv_lot", "lower_within_lot", "upper_within_lot"} < set(COUNT_COLUMNS)


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    for link in links:
        assert (Path(__file__).parents[2] / "docs" / link).is_file(), link


def test_its_examples_of_study_yaml_are_read(tmp_path: Path) -> None:
    from il2cyto.study import read_study
    from il2cyto.study.template import new_study

    new_study(tmp_path)
    path = tmp_path / "study.yaml"
    text = path.read_text(encoding="utf-8")
    lots, checks = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    text = re.sub(r"^bead_lots:.*?(?=^# Optional: checks)", lots, text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^checks:.*?(?=^#)", checks, text, count=1, flags=re.DOTALL | re.MULTILINE)
    path.write_text(text, encoding="utf-8")
    study = read_study(path)
    assert study.checks.rules["bead_share_cv"].band.warn_above == 60
    assert study.checks.rules["viability"].for_tube("TBNK").warn_below == 95
    assert "sample_age" not in study.checks.rules
    assert study.bead_lots["C77"].beads() == 50_500
