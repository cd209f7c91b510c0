"""What study.yaml says for the MIFlowCyt record."""

from __future__ import annotations

from pathlib import Path

from il2cyto.study.miflowcyt import ITEMS

TEMPLATE = Path(__file__).parents[2] / "src" / "il2cyto" / "study" / "templates" / "study.yaml"
MODEL = "model: {populations: [CD4, Treg]}\n"


def test_texts_are_kept_as_written(folder):
    said = "miflowcyt: {organism: Homo sapiens, reagents: 'CD25 PE, clone 抗体'}\n"
    study = folder.replace(MODEL, MODEL + said).read()
    assert dict(study.miflowcyt) == {"organism": "Homo sapiens", "reagents": "CD25 PE, clone 抗体"}


def test_nothing_said_is_empty(folder):
    assert dict(folder.read().miflowcyt) == {}


def test_a_wrong_key_is_named(folder):
    (problem,) = folder.replace(MODEL, MODEL + "miflowcyt: {organisme: x}\n").problems()
    assert problem.where == "miflowcyt.organisme"
    assert "did you mean 'organism'?" in problem.message


def test_a_text_is_wanted(folder):
    (problem,) = folder.replace(MODEL, MODEL + "miflowcyt: {organism: [x]}\n").problems()
    assert (problem.where, problem.message) == ("miflowcyt.organism", "give a text")


def test_the_template_names_every_key():
    text = TEMPLATE.read_text(encoding="utf-8").split("miflowcyt:")[1]
    assert [key for key in ITEMS if key not in text] == []
