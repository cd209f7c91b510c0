"""Workspaces of FlowJo 9 that are hostile or broken: one clear error each."""

from __future__ import annotations

from pathlib import Path

import pytest
from flowjo9_files import combination, population, sample, span, write

from il2cyto.errors import StrategyError
from il2cyto.exchange import read_strategies
from il2cyto.exchange.flowjo9 import read_mac_workspace

FINE = population("p", span("FSC-A", 1.0, 2.0))


def refused(path: Path) -> str:
    with pytest.raises(StrategyError) as found:
        read_strategies(path)
    assert path.name in str(found.value)
    return str(found.value)


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE Workspace [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE Workspace [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE Workspace SYSTEM "http://example.invalid/w.dtd">',
        '<!DOCTYPE Workspace PUBLIC "-//x//y" "w.dtd">',
        "<!DOCTYPE Workspace []>",
    ],
)
def test_document_types_that_declare(tmp_path: Path, doctype: str) -> None:
    path = write(tmp_path, sample(FINE))
    path.write_text(path.read_text(encoding="latin-1").replace("<!DOCTYPE Workspace>", doctype), encoding="latin-1")
    assert "document type" in refused(path)


def test_an_entity_without_a_declaration(tmp_path: Path) -> None:
    path = write(tmp_path, sample(FINE))
    path.write_text(path.read_text(encoding="latin-1").replace('name="p"', 'name="&c;"'), encoding="latin-1")
    assert "not well-formed" in refused(path)


def test_deep_nesting(tmp_path: Path) -> None:
    tree = FINE
    for _ in range(500):
        tree = population("n", span("FSC-A", 1.0, 2.0), tree)
    assert "not well-formed XML" in refused(write(tmp_path, sample(tree)))


def test_references_that_lead_nowhere(tmp_path: Path) -> None:
    lost = FINE + population("c", combination("!G0", "/pp"))
    assert "population 'c' combines '/pp', which the sample does not have (did you mean 'p'?)" in refused(
        write(tmp_path, sample(lost))
    )
    for key in ("2", "0", "-3", "x", "1e3", "9" * 40):
        assert f"refers to matrix '{key}', the workspace has 1" in refused(
            write(tmp_path, sample(FINE, compensation=key))
        )


def test_combinations_in_a_circle(tmp_path: Path) -> None:
    tree = population("a", combination("!G0", "b")) + population("b", combination("!G0", "a"))
    assert "in a circle" in refused(write(tmp_path, sample(tree)))


def test_samples_without_trees(tmp_path: Path) -> None:
    path = tmp_path / "old.xml"
    path.write_text('<Workspace version="2.0"><Samples><Sample sampleID="1"/></Samples><SampleAnalyses/></Workspace>')
    assert "its samples hold no trees where FlowJo 9 has them" in refused(path)


def test_nameless_samples(tmp_path: Path) -> None:
    assert "neither a name nor a file" in refused(write(tmp_path, sample(FINE, name="")))


def test_an_empty_workspace(tmp_path: Path) -> None:
    assert read_mac_workspace(write(tmp_path)).samples == ()


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<other/>")
    with pytest.raises(StrategyError, match="the root is 'other', wanted a Workspace of FlowJo 9"):
        read_mac_workspace(path)
