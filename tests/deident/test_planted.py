"""A patient's name, planted everywhere a person or a program could have written it, is in no output."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st
from planted_study import Planted, places, plain_form, plant

from il2cyto.deident import Key, deidentify, scan
from il2cyto.deident.names import Names
from il2cyto.deident.vocabulary import NAMES as LISTS
from il2cyto.errors import StudyError
from il2cyto.fcs import open_datasets

KEY = Key(bytes(range(32)))
PLACES = list(places())
ENCODINGS = ("utf-8", "latin-1", "gb18030")
NAMES = (
    "Zhang Weiming",
    "Smith-Ferguson",
    "Müller-Lüdenscheid",
    "Żółkiewska Łucja",
    "欧阳娜娜",
    "張偉明",
    "Ñandú José",
    "Okonkwo",
)


def needles(name: str) -> set[bytes]:
    """A name and its longer words, in every encoding and case."""
    words = {name, *(word for word in name.replace("-", " ").split() if len(word.encode()) >= 5)}
    words |= {plain_form(name)} if len(plain_form(name)) >= 5 else set()
    cases = {form for word in words for form in (word, word.upper(), word.lower(), word.title(), word.swapcase())}
    found = set()
    for form in cases:
        for encoding in (*ENCODINGS, "utf-16-le"):
            try:
                found.add(form.encode(encoding).lower())
            except UnicodeEncodeError:
                continue
        # what a reader makes of one encoding that was another
        found.add(form.encode("utf-8").decode("latin-1").encode("utf-8").lower())
    return {needle for needle in found if len(needle) >= 4}


def leaks(folder: Path, name: str) -> list[str]:
    """Every output that holds the name, in its bytes or in its own name."""
    wanted = needles(name)
    hits = []
    for path in folder.rglob("*"):
        shown = path.relative_to(folder).as_posix()
        content = shown.encode() + b"\0" + (path.read_bytes() if path.is_file() else b"")
        hits += [f"{shown}: {needle!r}" for needle in wanted if needle in content.lower()]
    return hits


def run(
    place: tuple[str, ...], name: str, encoding: str, folder: Path, *, scanned: bool = True
) -> tuple[str, list[str]]:
    """Plant, de-identify, and look; returns what became of it, and the leaks."""
    study = Planted()
    study.only_fcs = place[0] in ("keyword", "segment", "bad file")
    plant(study, place, name, encoding)
    source = study.write(folder / "in")
    if encoding == "utf-8" and name in NAMES and place != ("workbook",):
        assert leaks(source, name), "nothing was planted"
    events = {fcs.data for fcs in study.fcs.values()}
    out = folder / "out"
    try:
        summary = deidentify(source, out, KEY)
    except StudyError:
        # study.yaml itself is wrong: nothing may have been written
        assert not out.exists()
        return "refused", []
    written = [dataset.data.tobytes() for path in out.rglob("*.fcs") for dataset in open_datasets(path)]
    assert set(written) <= events
    if place not in SPOILS:
        assert len(written) == 5
        assert set(written) == events
    assert not scanned or [finding for finding in scan(out) if finding.changes] == []
    return ("set aside" if summary.n_set_aside else "written"), leaks(out, name)


#: A name in these keywords makes a file that no reader takes, or one that reads otherwise without it.
SPOILS = {("keyword", key) for key in ("$BYTEORD", "$DATATYPE", "$MODE", "$P5B", "$P5E", "$P5G", "$P5DATATYPE")}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: " ".join(place))
def test_name_is_in_no_output(place: tuple[str, ...], tmp_path: Path) -> None:
    name = NAMES[PLACES.index(place) % len(NAMES)]
    outcome, found = run(place, name, "utf-8", tmp_path)
    assert found == []
    if place not in SPOILS:
        assert outcome == ("set aside" if place[0] == "bad file" else "written")


@cache
def ordinary() -> bytes:
    """Every byte of the outputs of a study in which nothing is planted."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        deidentify(Planted().write(Path(folder) / "in"), out, KEY)
        return b"\0".join(path.read_bytes().lower() for path in sorted(out.rglob("*")) if path.is_file())


letters = st.characters(categories=("Lu", "Ll", "Lo"), codec="gb18030", exclude_characters="|")
names = st.one_of(
    st.sampled_from(NAMES),
    st.text(letters, min_size=6, max_size=14).filter(lambda text: not set(text.lower()) <= set("0123456789abcdef")),
    st.tuples(st.sampled_from(NAMES), st.sampled_from((str.upper, str.lower, str.swapcase))).map(lambda p: p[1](p[0])),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(place=st.sampled_from(PLACES), name=names, encoding=st.sampled_from(ENCODINGS))
@example(place=("keyword", "$P5S"), name="ZHANG weiming", encoding="latin-1")
@example(place=("keyword", "$CYT"), name="欧阳娜娜", encoding="gb18030")
def test_any_name_in_any_encoding(place: tuple[str, ...], name: str, encoding: str) -> None:
    # a word of the field, or of the format itself, is no name that could be told from it
    assume(not any(needle in ordinary() for needle in needles(name)))
    assume(not Names(KEY).passes(name, *LISTS, "study", "cytometers", "analytes", "units", "columns"))
    folder = Path(tempfile.mkdtemp())
    try:
        outcome, found = run(place, name, encoding, folder, scanned=False)
        event(f"{place[0]}: {outcome}")
        assert found == []
    finally:
        shutil.rmtree(folder)


def test_the_search_itself_finds(tmp_path: Path) -> None:
    for place, content in enumerate(
        (b"xx zhang WEIMING", "欧阳娜娜".encode("gb18030"), "müller-lüdenscheid".encode("latin-1"))
    ):
        (tmp_path / f"{place}.bin").write_bytes(b"\x00" + content + b"\x01")
    for name in (NAMES[0], NAMES[2], NAMES[4]):
        assert leaks(tmp_path, name)
    assert not leaks(tmp_path, "Okonkwo")
    assert leaks(Path(shutil.copytree(tmp_path, tmp_path.parent / "c" / "Okonkwo")).parent, "Okonkwo")


def test_the_search_finds_a_keyword_that_is_let_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from il2cyto.deident import keywords

    monkeypatch.setitem(keywords.GRAMMAR, "$OP", str.strip)
    assert run(("keyword", "$OP"), NAMES[0], "utf-8", tmp_path)[1]


def test_the_search_finds_a_label_that_is_let_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from il2cyto.deident.names import Names

    monkeypatch.setattr(Names, "name", lambda self, text, *lists: text.strip())
    assert run(("keyword", "$P5S"), NAMES[0], "utf-8", tmp_path, scanned=False)[1]
