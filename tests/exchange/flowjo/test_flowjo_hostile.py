"""Workspaces that are hostile, broken, or of other programs: one clear error each."""

from __future__ import annotations

from pathlib import Path

import pytest
from flowjo_files import SPACES, combination, dimension, matrix, population, rectangle, sample, write

from il2cyto.errors import StrategyError
from il2cyto.exchange import read_strategies
from il2cyto.exchange.flowjo import read_workspace

GATE = rectangle(dimension("FSC-A", 1))
FINE = population("p", GATE)


def refused(path: Path) -> str:
    """The one error that every way of reading gives."""
    with pytest.raises(StrategyError) as found:
        read_strategies(path)
    assert path.name in str(found.value)
    return str(found.value)


def with_head(folder: Path, head: str, name: str = "FSC-A") -> Path:
    path = write(folder, sample(FINE))
    text = (
        path.read_text()
        .replace("<Workspace", head + "<Workspace", 1)
        .replace('data-type:name="FSC-A"', f'data-type:name="{name}"')
    )
    path.write_text(text)
    return path


def test_entity_bomb(tmp_path: Path) -> None:
    bomb = (
        '<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    )
    assert "document type" in refused(with_head(tmp_path, bomb, "&c;"))


def test_external_entity_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("PLANTED")
    message = refused(with_head(tmp_path, f'<!DOCTYPE w [<!ENTITY x SYSTEM "{secret.as_uri()}">]>', "&x;"))
    assert "PLANTED" not in message


def test_deep_nesting(tmp_path: Path) -> None:
    tree = GATE_AT_DEPTH = population("leaf", GATE)
    for _ in range(500):
        tree = population("n", GATE, tree)
    assert len(tree) > len(GATE_AT_DEPTH)
    assert "not well-formed XML" in refused(write(tmp_path, sample(tree)))


def test_a_tree_as_deep_as_xml_allows(tmp_path: Path) -> None:
    tree = population("leaf", GATE)
    for _ in range(100):
        tree = population("n", GATE, tree)
    workspace = read_workspace(write(tmp_path, sample(tree)))
    assert workspace.samples[0].strategy.paths[-1].count("/") == 100


def test_parents_in_a_circle(tmp_path: Path) -> None:
    inner = population("inner", GATE, ids='gating:id="ID2" gating:parent_id="ID1"')
    outer = population("outer", GATE, inner, ids='gating:id="ID1" gating:parent_id="ID2"')
    message = refused(write(tmp_path, sample(outer)))
    assert "'outer' names as its parent gate 'ID2', which stands below it" in message
    own = population("own", GATE, ids='gating:id="ID1" gating:parent_id="ID1"')
    assert "stands above itself" in refused(write(tmp_path, sample(own)))
    again = population("a", GATE, population("b", GATE, ids='gating:id="ID1"'), ids='gating:id="ID1"')
    assert "stands above itself" in refused(write(tmp_path, sample(again)))


def test_combinations_in_a_circle(tmp_path: Path) -> None:
    tree = FINE + combination("AndNode", "a", ["p", "b"]) + combination("OrNode", "b", ["p", "a"])
    assert "refer to each other in a circle: a, b" in refused(write(tmp_path, sample(tree)))
    assert "in a circle" in refused(write(tmp_path, sample(combination("NotNode", "n", ["n"]))))


def test_references_that_lead_nowhere(tmp_path: Path) -> None:
    tree = FINE + combination("AndNode", "a", ["p", "CD4"])
    message = refused(write(tmp_path, sample(tree)))
    assert "line 2: population 'a' combines 'CD4', which the sample does not have" in message
    shared = matrix({"FITC-A": {"FITC-A": 1.0}}, key="m10")
    message = refused(write(tmp_path, sample(FINE, compensation=matrix({}, key="m11")), matrices=shared))
    assert "refers to matrix 'm11', which the workspace lacks (did you mean 'm10'?)" in message
    two = matrix({"FITC-A": {"FITC-A": 1.0}}) * 2
    assert "the sample has 2 matrices" in refused(write(tmp_path, sample(FINE, compensation=two)))
    nameless = sample(FINE, name="", uri="").replace('name="$FIL"', 'name="x"')
    assert "neither a name nor a file" in refused(write(tmp_path, nameless))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<Workspace version="1.61" flowJoVersion="7.6"><Groups/></Workspace>', "a workspace of FlowJo 7 for Windows"),
        ("<Workspace", "not well-formed XML"),
        ("<other/>", "wanted Gating-ML"),
    ],
)
def test_other_programs(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "old.xml"
    path.write_text(text)
    assert message in refused(path)


def test_other_files_called_wsp(tmp_path: Path) -> None:
    path = tmp_path / "x.wsp"
    path.write_text("<other/>")
    with pytest.raises(StrategyError, match="the root is 'other', wanted a Workspace of FlowJo 10"):
        read_workspace(path)


def test_earlier_versions_are_not_taken_for_flowjo_10(tmp_path: Path) -> None:
    path = tmp_path / "mac.xml"
    path.write_text('<Workspace version="2.0" flowJoVersion="9.2"><SampleList/></Workspace>')
    with pytest.raises(StrategyError, match="the root is 'Workspace' of FlowJo 9 or earlier, wanted a Workspace of"):
        read_workspace(path)
    # FlowJo 7 has a DataSet too, and its scales elsewhere
    path = write(tmp_path, sample(FINE))
    path.write_text(path.read_text().replace('version="20.0" flowJoVersion="10.8.1"', 'version="1.61"'))
    assert "FlowJo 7 for Windows" in refused(path)


@pytest.mark.parametrize("version", ['version="1.8" flowJoVersion="10.0.7"', 'version="20.0"', 'flowJoVersion="11.0"'])
def test_versions_of_the_present_structure(tmp_path: Path, version: str) -> None:
    path = write(tmp_path, sample(FINE))
    path.write_text(path.read_text().replace('version="20.0" flowJoVersion="10.8.1"', version))
    assert read_workspace(path).samples[0].strategy.paths == ("p",)


def test_an_empty_workspace(tmp_path: Path) -> None:
    path = tmp_path / "empty.wsp"
    path.write_text(f'<Workspace version="20.0" flowJoVersion="10.8.1" {SPACES}><SampleList/></Workspace>')
    assert read_workspace(path).samples == ()
