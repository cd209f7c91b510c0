"""Experiments that are hostile or broken: one clear error each."""

from __future__ import annotations

from pathlib import Path

import pytest
from diva_files import ALL, events, gate, polygon, region, specimen, tube, write

from il2cyto.errors import StrategyError
from il2cyto.exchange import read_strategies
from il2cyto.exchange.diva import read_experiment

FINE = [(1e4, 1e4), (2e5, 1e4), (2e5, 2e5)]
P1 = polygon("P1", "FSC-A", "SSC-A", FINE)


def refused(path: Path) -> str:
    with pytest.raises(StrategyError) as found:
        read_strategies(path)
    assert path.name in str(found.value)
    return str(found.value)


def with_gates(folder: Path, gates: str) -> str:
    return refused(write(folder, specimen(tube(events() + gates))))


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE b SYSTEM "http://example.invalid/b.dtd">',
        "<!DOCTYPE b [<!ATTLIST gate type CDATA 'x'>]>",
        "<!--<!DOCTYPE b>--><!DOCTYPE b [<!ENTITY x 'y'>]>",
    ],
)
def test_document_types(tmp_path: Path, head: str) -> None:
    path = write(tmp_path, specimen(tube(events() + P1)))
    path.write_text(path.read_text().replace("<bdfacs", head + "<bdfacs", 1))
    assert "document type" in refused(path)


def test_a_document_type_that_declares_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, specimen(tube(events() + P1)))
    path.write_text(path.read_text().replace("<bdfacs", "<!DOCTYPE bdfacs>\n<bdfacs", 1))
    assert read_experiment(path).samples[0].strategy.paths == ("P1",)


def test_parents_in_a_circle(tmp_path: Path) -> None:
    a = polygon("A", "FSC-A", "SSC-A", FINE, parent=f"{ALL}\\B")
    b = polygon("B", "FSC-A", "SSC-A", FINE, parent=f"{ALL}\\A")
    assert "stands above itself" in with_gates(tmp_path, a + b)
    assert "stands above itself" in with_gates(tmp_path, polygon("A", "FSC-A", "SSC-A", FINE, parent=f"{ALL}\\A"))


def test_combinations_in_a_circle(tmp_path: Path) -> None:
    gates = gate("a", "NOT_Classifier", "", inputs=[f"{ALL}\\b"]) + gate(
        "b", "NOT_Classifier", "", inputs=[f"{ALL}\\a"]
    )
    assert "in a circle" in with_gates(tmp_path, gates)


def test_references_that_lead_nowhere(tmp_path: Path) -> None:
    lost = polygon("P2", "FSC-A", "SSC-A", FINE, parent=f"{ALL}\\P11")
    assert "names as its parent 'All Events\\\\P11', which is not there" in with_gates(tmp_path, P1 + lost)
    assert "which is not there" in with_gates(tmp_path, gate("n", "NOT_Classifier", "", inputs=[f"{ALL}\\none"]))
    hinge = region(
        "$1", "BINNER_REGION", "FSC-A", "SSC-A", FINE, kind="Composite_Classifier", more=f"<bin>{ALL}\\Q1</bin>"
    )
    assert "names as a quadrant 'All Events\\\\Q1', which is not there" in with_gates(tmp_path, hinge)
    other = polygon("P2", "FSC-A", "SSC-A", FINE, inputs=[f"{ALL}\\none"])
    assert "names as its input" in with_gates(tmp_path, other)
    rootless = write(tmp_path, specimen(tube(P1)))
    assert "names as its parent 'All Events', which is not there" in refused(rootless)


def test_names_that_stand_twice(tmp_path: Path) -> None:
    assert "stands twice" in with_gates(tmp_path, P1 + P1)
    assert "or has no name" in with_gates(tmp_path, P1.replace(f'fullname="{ALL}\\P1"', 'fullname=""'))


@pytest.mark.parametrize("backwards", [False, True])
def test_a_chain_deeper_than_any_person_draws(tmp_path: Path, backwards: bool) -> None:
    """Paths of a long chain would need memory by the square of its length."""
    names = [f"g{k}" for k in range(3000)]
    made = [
        polygon(name, "FSC-A", "SSC-A", FINE, parent=f"{ALL}\\{names[k - 1]}" if k else ALL)
        for k, name in enumerate(names)
    ]
    assert "stands below more than 256 others" in with_gates(tmp_path, "".join(made[::-1] if backwards else made))


def test_a_deep_tree_that_is_none_too_deep(tmp_path: Path) -> None:
    path = "\\".join(f"g{k}" for k in range(200))
    gates = "".join(polygon("\\".join(path.split("\\")[: k + 1]), "FSC-A", "SSC-A", FINE) for k in range(200))
    strategy = read_strategies(write(tmp_path, specimen(tube(events() + gates)))).for_file("a.fcs")
    assert max(p.count("/") for p in strategy.paths) == 199


def test_nested_xml_is_bounded(tmp_path: Path) -> None:
    path = write(tmp_path, "<a>" * 500 + "</a>" * 500)
    assert "not well-formed XML" in refused(path)


@pytest.mark.parametrize(
    "text", ["<bdfacs/>", "<bdfacs><experiment/></bdfacs>", "<bdfacs><experiment><specimen/></experiment></bdfacs>"]
)
def test_empty_experiments(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.xml"
    path.write_text(text)
    experiment = read_experiment(path)
    assert experiment.samples == ()
    assert experiment.default is None


def test_a_tube_without_gates(tmp_path: Path) -> None:
    path = tmp_path / "bare.xml"
    path.write_text(
        '<bdfacs><experiment><specimen name="s"><tube name="t"><data_filename>a.fcs</data_filename></tube></specimen>'
        "</experiment></bdfacs>"
    )
    experiment = read_experiment(path)
    assert experiment.notices == ("tube 's/t' has no gates",)
    assert experiment.samples[0].strategy.populations == ()


def test_counts_that_are_none(tmp_path: Path) -> None:
    for text in ("-5", "٣", "9" * 30, "", "1.5"):
        gates = P1.replace("<num_events>0<", f"<num_events>{text}<")
        sample = read_experiment(write(tmp_path, specimen(tube(events(8) + gates)))).samples[0]
        assert sample.counts == {"P1": None}, text


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<other/>")
    with pytest.raises(StrategyError, match="the root is 'other', wanted an experiment of BD FACSDiva"):
        read_experiment(path)
