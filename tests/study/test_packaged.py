"""Packaged strategies, and the study that `il2cyto new` writes."""

from __future__ import annotations

import re

import pytest

from il2cyto.errors import OutputError, StrategyError
from il2cyto.study import (
    clinical,
    controls,
    document,
    inspect_study,
    new_study,
    packaged,
    packaged_strategies,
    packaged_strategy,
    read_study,
    samples,
    style,
    tubes,
)


@pytest.fixture
def gating(tmp_path, monkeypatch):
    root = tmp_path / "packaged"
    for name in ("tbnk", "treg", "nk"):
        (root / name).mkdir(parents=True)
        (root / name / "strategy.yaml").write_text("strategy: x\n")
    (root / "notes").mkdir()
    monkeypatch.setattr("il2cyto.study.packaged.packaged_folder", lambda: root)
    return root


def test_folders_with_a_strategy_are_packaged_strategies(gating):
    assert packaged_strategies() == ["nk", "tbnk", "treg"]
    assert packaged_strategy("treg") == gating / "treg"


@pytest.mark.parametrize("name", ["tregs", "notes", "..", ""])
def test_another_name_is_refused(gating, name):
    with pytest.raises(StrategyError, match="there are: nk, tbnk, treg"):
        packaged_strategy(name)


def test_a_close_name_is_suggested(gating):
    with pytest.raises(StrategyError, match=r"called 'tregs' \(did you mean 'treg'\?\)"):
        packaged_strategy("tregs")


def test_an_installation_without_strategies(gating, monkeypatch):
    monkeypatch.setattr("il2cyto.study.packaged.packaged_folder", lambda: gating / "nowhere")
    assert packaged_strategies() == []
    with pytest.raises(StrategyError, match="this installation has none"):
        packaged_strategy("treg")


def test_a_checkout_and_a_wheel_keep_them_in_different_places(tmp_path, monkeypatch):
    package = tmp_path / "site" / "src" / "il2cyto"
    package.mkdir(parents=True)
    monkeypatch.setattr(packaged, "__file__", str(package / "study" / "packaged.py"))
    assert packaged.packaged_folder() == tmp_path.resolve() / "site" / "gating"
    (package / "_data" / "gating").mkdir(parents=True)
    assert packaged.packaged_folder() == package.resolve() / "_data" / "gating"


def test_a_study_can_name_a_packaged_strategy(gating, folder):
    study = folder.replace("strategy: gating/treg", 'strategy: "il2cyto:treg"').read()
    reference = study.tubes["TREG"].strategy
    assert (reference.kind, reference.path, reference.text) == ("packaged", gating / "treg", "il2cyto:treg")


class TestTemplate:
    def test_it_is_a_study_that_only_lacks_its_files(self, gating, tmp_path):
        written = new_study(tmp_path / "new")
        assert [path.name for path in written] == [
            "study.yaml",
            "samples.csv",
            "dosing.csv",
            "serum.csv",
            "controls.csv",
        ]
        inspection = inspect_study(written[0])
        assert inspection.problems == ()
        assert [notice.where for notice in inspection.notices] == ["fcs"] * 12
        assert (len(inspection.study.records), len(inspection.study.controls)) == (8, 4)

    def test_its_strategies_are_packaged(self, tmp_path):
        path = new_study(tmp_path / "new")[0]
        assert {tube.strategy.kind for tube in read_study(path).tubes.values()} == {"packaged"}

    def test_every_option_is_explained(self, tmp_path):
        text = new_study(tmp_path)[0].read_text(encoding="utf-8")
        keys = {*style.OWN, *document.REQUIRED, *document.OPTIONAL, *document.LIMITS, *document.ERRORS, *document.MODEL}
        for required, optional in (
            document.ARM,
            document.VISIT,
            tubes.TUBE,
            tubes.COUNT,
            (clinical.SERUM.known, ()),
            (clinical.DOSING.known, ()),
            (controls.COLUMNS.known, controls.KINDS),
            (document.GATES, ()),
        ):
            keys.update(required, optional)
        keys.update(samples.COLUMNS.known, samples.UNITS, tubes.REPEATS, samples.SEXES)
        assert keys - set(re.findall(r"[A-Za-z_]+(?::[a-z]+)?", text)) == set()

    def test_its_sheet_has_every_column(self, tmp_path):
        header = new_study(tmp_path)[1].read_text().splitlines()[0].split(",")
        assert set(header) == set(samples.COLUMNS.known)

    def test_nothing_is_overwritten(self, tmp_path):
        (tmp_path / "samples.csv").write_text("mine")
        with pytest.raises(OutputError, match=r"already holds samples\.csv; choose an empty folder"):
            new_study(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["samples.csv"]
        assert (tmp_path / "samples.csv").read_text() == "mine"

    def test_a_folder_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError, match="cannot be written to"):
            new_study(tmp_path / "file" / "new")
