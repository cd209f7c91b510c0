from __future__ import annotations

from pathlib import Path

import pytest

from il2cyto.deident.key import Key
from il2cyto.deident.names import Names
from il2cyto.deident.vocabulary import NAMES, STUDY, read_vocabulary, vocabulary
from il2cyto.errors import OutputError, ParameterError
from il2cyto.gating import read_strategy
from il2cyto.panel import Panel
from il2cyto.study import packaged_strategies, packaged_strategy

KEY = Key(bytes(range(32)))


@pytest.mark.parametrize(
    "text",
    [
        "CD4", "PerCP-Cy5-5-A", "FSC-A", "SSC-B-H", "Live/Dead", "CD16+56", "HLA-DR", "Time", "HDR-T", "TIME MSW",
        "Fixable Viability Dye eFluor 780", "(Ir191)Di", "89Y_CD45", "152Sm_CD194_CCR4", "B530-A", "V1-A", "UV379-A",
        "FL1 INT LOG", "405nm BV421 (445/60) LogH", "PE-TxRed YG-A", "TCRgd", "IL-17A", "BUV395", "Ki-67", "NK cells",
        "CD56bright_CD16neg", "il2cyto.Treg.CD25hiCD127lo.CD45RAnegHLADRpos.v1",
    ],
)  # fmt: skip
def test_names_of_the_field_pass(text: str) -> None:
    assert text in vocabulary(*NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "Smith", "CD4 Smith", "CD4Smith", "Smith CD4", "W H", "A", "Lee", "Lin", "April", "Violet", "欧阳", "CD4 欧阳",
        "P001", "ND050", "12345678", "CD4 12345678", "2009-03-01", "", " ", "-", "CD4\n", "x" * 200, "FITC☺", "S. H.",
    ],
)  # fmt: skip
def test_names_of_people_and_numbers_of_records_do_not(text: str) -> None:
    assert text not in vocabulary(*NAMES)


def test_every_packaged_strategy_and_panel_passes() -> None:
    names = Names(KEY)
    for name in packaged_strategies():
        strategy = read_strategy(packaged_strategy(name))
        for population in strategy.populations:
            assert names.name(population.name) == population.name
            assert names.name(population.definition) == population.definition
        for path in packaged_strategy(name).glob("panel*.csv"):
            for entry in Panel.from_csv(path).entries:
                for text in (entry.marker, entry.channel, entry.fluorochrome, *entry.aliases):
                    assert names.name(text) == text or text == "absent"


def test_words_of_the_study_pass() -> None:
    known = vocabulary(*STUDY)
    for text in ("Low-dose IL-2 + standard therapy", "Month 1", "BL", "W12", "C1D1", "ARM2", "SLE", "healthy control"):
        assert text in known
    for text in ("Dr. Smith's arm", "Month Smith", "Ward 7", "SLE (Smith)"):
        assert text not in known


def test_a_name_has_one_pseudonym_wherever_it_stands() -> None:
    names = Names(KEY)
    code = names.name("Smith-A")
    assert code.startswith("N-")
    assert names.name(" Smith-A ") == code
    assert names.name("Comp-Smith-A") == f"Comp-{code}"
    assert names.name("<Smith-A>") == f"<{code}>"
    assert names.path("root/CD4/Smith-A") == f"root/CD4/{code}"
    assert names.originals == {("name", code): "Smith-A"}


def test_a_pseudonym_in_the_input_is_not_believed() -> None:
    code = Names(KEY).coded("subject", "P001")
    assert Names(KEY).coded("subject", code) != code
    assert Names(KEY, accept_coded=True).coded("subject", code) == code


def test_arms_keep_known_ids_and_number_the_others() -> None:
    names = Names(KEY)
    assert names.codes("arm", ["Smith", "ARM1", "STD", "Jones"]) == {
        "Smith": "ARM2", "ARM1": "ARM1", "STD": "STD", "Jones": "ARM3",
    }  # fmt: skip


def test_a_collision_is_an_error() -> None:
    names = Names(KEY)
    names.record("subject", "S-X", "P001")
    with pytest.raises(OutputError, match="same pseudonym"):
        names.record("subject", "S-X", "P002")


def test_own_words_must_be_signed(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("Odd-A\n")
    with pytest.raises(ParameterError, match="first line"):
        read_vocabulary(path)
    path.write_text("signed: A. Nurse, 2026-01-31\n# ours\nOdd-A\nTetramer 7b\n")
    names = Names(KEY, read_vocabulary(path))
    assert names.name("Odd-A") == "Odd-A"
    assert names.name("CD4 tetramer 7B") == "CD4 tetramer 7B"
    assert names.name("Odd") != "Odd"
    path.write_text("signed: A. Nurse, 2026-01-31\n.*\n")
    with pytest.raises(ParameterError, match="line 2"):
        read_vocabulary(path)


def test_only_the_cytometer_stays_of_its_keyword() -> None:
    known = vocabulary("cytometers")
    assert known.recognised("Main Aria (FACSAria)") == "FACSAria"
    assert known.recognised("4486521 Attune NxT of Dr. Smith") == "Attune NxT"
    assert known.recognised("Smith") == ""
