"""Files that mean harm, files that run in circles, and files whose program left half of the gates out."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from gatingml_files import HEAD, boolean, dimension, limits, rectangle, transformation, write
from typer.testing import CliRunner

from il2cyto.cli.app import app
from il2cyto.errors import GatingMLError
from il2cyto.exchange import read_gating, read_strategies
from il2cyto.fcs import read_fcs

GATE = rectangle(dimension("A", limits(1)))
ENTITIES = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10 if k else "x" * 10}">' for k in range(12))


def document(folder: Path, before: str, body: str = GATE, encoding: str = "utf-8") -> Path:
    path = folder / "g.xml"
    text = f'<?xml version="1.0" encoding="{encoding}"?>{before}{HEAD}{body}</gating:Gating-ML>'
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("before", "body"),
    [
        (f"<!DOCTYPE b [{ENTITIES}]>", GATE.replace('"1"', '"&e11;"')),
        (f"<!DOCTYPE b [{ENTITIES}]>", GATE + "&e11;"),
        ('<!DOCTYPE b [<!ENTITY f SYSTEM "file:///etc/hostname">]>', GATE + "&f;"),
        ('<!DOCTYPE b [<!ENTITY f SYSTEM "file:///etc/hostname">]>', GATE.replace('"A"', '"&f;"')),
        ('<!DOCTYPE b [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]>', GATE),
        ('<!DOCTYPE b SYSTEM "http://127.0.0.1:9/x.dtd">', GATE),
        ('<!DOCTYPE b [<!ENTITY a "&a;">]>', GATE + "&a;"),
        ('<!-- <!DOCTYPE b> --><!DOCTYPE b [<!ENTITY a "x">]>', GATE),
    ],
    ids=["bomb in a number", "bomb", "file", "file in a name", "parameter entity", "external type", "loop", "hidden"],
)
def test_entities_are_one_error_and_cost_nothing(tmp_path: Path, before: str, body: str, encoding: str) -> None:
    started = time.process_time()
    with pytest.raises(GatingMLError, match=r"^g\.xml: (declares a document type|is not well-formed XML)") as caught:
        read_gating(document(tmp_path, before, body, encoding))
    assert time.process_time() - started < 1.0
    assert len(str(caught.value)) < 300


def test_a_document_type_that_declares_nothing_is_harmless(tmp_path: Path) -> None:
    assert read_gating(document(tmp_path, "<!DOCTYPE b>")).paths == ("g",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not well-formed XML"),
        (b"\x00\x01\x02", "is not well-formed XML"),
        (b"FCS3.1         58", "is not well-formed XML"),
        ((HEAD + "<a>" * 100_000).encode(), "is not well-formed XML"),
        ((HEAD + "<a>" * 100_000 + "</a>" * 100_000 + "</gating:Gating-ML>").encode(), "is not well-formed XML"),
        (b"<Workspace version='20.0'/>", "."),
        (
            b"<gating:Gating-ML xmlns:gating='http://www.isac-net.org/std/Gating-ML/v1.5/gating'/>",
            r"v1\.5/gating, wanted",
        ),
        (b"<Gating-ML/>", "the root is 'Gating-ML', wanted Gating-ML of version 2.0"),
        (f"{HEAD}</gating:Gating-ML>".encode(), "holds no gate"),
        (f"{HEAD}{transformation('S', 'flin', T=1, A=0)}</gating:Gating-ML>".encode(), "holds no gate"),
    ],
)
def test_what_is_no_gating_ml_is_one_error(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "g.xml").write_bytes(content)
    with pytest.raises(Exception, match=message) as caught:
        read_gating(tmp_path / "g.xml")
    assert type(caught.value).__module__ == "il2cyto.errors"
    assert str(caught.value).startswith("g.xml")
    assert len(str(caught.value)) < 400


CIRCLES = {
    "itself": rectangle(dimension("A", limits(1)), parent="g"),
    "two": rectangle(dimension("A", limits(1)), parent="h")
    + rectangle(dimension("A", limits(1)), name="h", parent="g"),
    "operand of itself": boolean("not", "g"),
    "operands": boolean("not", "h") + boolean("not", "g", name="h"),
    "operand below": boolean("not", "h") + rectangle(dimension("A", limits(1)), name="h", parent="g"),
}


@pytest.mark.parametrize("body", CIRCLES.values(), ids=CIRCLES)
def test_circles_are_one_error(tmp_path: Path, body: str) -> None:
    with pytest.raises(GatingMLError, match=r"^g\.xml: .*circle"):
        read_gating(write(tmp_path, body))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (rectangle(dimension("A", limits(1)), parent="h"), "line 1: gate 'g' refers to 'h', which is not defined"),
        (boolean("not", "h"), "line 1: gate 'g' refers to 'h', which is not defined"),
        (
            rectangle(dimension("A", limits(1)), name="CD4 T") + boolean("not", "CD4T"),
            r"refers to 'CD4T', which is not defined \(did you mean 'CD4 T'\?\)",
        ),
    ],
)
def test_missing_references_are_one_error(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(GatingMLError, match=message):
        read_gating(write(tmp_path, body))


def test_a_thousand_generations_are_read(tmp_path: Path) -> None:
    names = [f"g{k}" for k in range(1000)]
    body = "".join(
        rectangle(dimension("A", limits(k)), name=name, parent=names[k - 1] if k else "")
        for k, name in enumerate(names)
    )
    started = time.process_time()
    strategy = read_gating(write(tmp_path, body))
    assert strategy.paths[-1].count("/") == 999
    assert time.process_time() - started < 20


def test_more_than_a_person_drew_is_one_error_and_costs_little(tmp_path: Path) -> None:
    started = time.process_time()
    chain = "".join(
        rectangle(dimension("A", limits(k)), name=f"g{k}", parent=f"g{k - 1}" if k else "") for k in range(1500)
    )
    with pytest.raises(GatingMLError, match=r"^g\.xml, line 1: gate 'g1\d+' has more than 1000 parents above it"):
        read_gating(write(tmp_path, chain))
    many = rectangle(dimension("A", limits(1)), name="g{}")
    with pytest.raises(GatingMLError, match="more than 20000 gates are not read; split the file"):
        read_gating(write(tmp_path, "".join(many.replace("{}", str(k)) for k in range(20_001))))
    assert time.process_time() - started < 60


def test_a_long_circle_is_one_error(tmp_path: Path) -> None:
    names = [f"g{k}" for k in range(1200)]
    body = "".join(rectangle(dimension("A", limits(k)), name=name, parent=names[k - 1]) for k, name in enumerate(names))
    with pytest.raises(GatingMLError) as caught:
        read_gating(write(tmp_path, body))
    assert len(str(caught.value)) < 20_000


# what FlowJo leaves out


@pytest.mark.reference
def test_the_gates_that_flowjo_exported_warn_of_what_is_missing(reference: Path, tmp_path: Path) -> None:
    path = reference / "flowjo-spleen" / "manualGating.xml"
    strategy = read_gating(path)
    assert len(strategy.populations) == 15
    (note,) = strategy.notes
    assert "names no compensation for 15 of 15 gates" in note
    assert "it holds no transformation" in note
    assert "import its workspace (.wsp) instead" in note
    result = strategy.apply(read_fcs(reference / "flowjo-spleen" / "68983.fcs"))
    assert result.notes == (note,)
    # it is named where it is shown, before anything is counted
    shown = CliRunner().invoke(app, ["show", str(path)])
    assert shown.exit_code == 0
    assert f"note: {note}" in shown.output
    assert read_strategies(path).default == strategy


def test_a_file_that_says_everything_says_nothing_more(tmp_path: Path) -> None:
    assert read_gating(write(tmp_path, GATE)).notes == ()


def test_a_file_with_scales_but_without_compensation_tells_only_that(tmp_path: Path) -> None:
    scale = transformation("S", "flin", T=1, A=0)
    bare = dimension("A", limits(1), scale="S").replace('gating:compensation-ref="uncompensated"', "")
    (note,) = read_gating(
        write(tmp_path, scale + rectangle(bare) + rectangle(dimension("A", limits(1)), name="h"))
    ).notes
    assert "names no compensation for 1 of 2 gates" in note
    assert "transformation" not in note
