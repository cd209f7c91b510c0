"""Tables for people: hostile names, the braces of RTF, and every printed number against the tidy table."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pandas as pd
import pytest
from outcome_trial import DAYS, LABS, Trial

from il2cyto.outcomes.printed import print_baseline, print_flow, print_outcome, print_queries
from il2cyto.outcomes.typeset import Typeset, to_html, to_rtf
from il2cyto.report.numbers import three_digits
from il2cyto.steps.outcomes import write_outcomes
from il2cyto.study import read_study

HOSTILE = '<script>alert("x")</script> & {\\rtf1 \\par} 抗体 𝛼\n"quoted"'
TABLE = Typeset(HOSTILE, HOSTILE, ("Visit", HOSTILE), ((HOSTILE,), (HOSTILE, "−1.5")), (HOSTILE,))
NO_MODEL = pd.DataFrame(columns=["strategy", "population", "contrast"])


class Texts(HTMLParser):
    """Tags and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data):
        self.texts.append(data)


def plain(text):
    """Return the text of RTF: escapes undone, formats gone; its groups are closed."""
    depth, place, out = 0, 0, []
    while place < len(text):
        if text[place] == "\\" and text[place + 1] in "\\{}":
            out.append(text[place + 1])
            place += 2
            continue
        found = re.compile(r"\\u(-?\d+)\?|\\([a-z]+)(-?\d+)? ?").match(text, place)
        if found:
            if found[1]:
                out.append(int(found[1]).to_bytes(2, "little", signed=True))
            elif found[2] == "line":
                out.append("\n")
            place = found.end()
            continue
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        assert depth >= 0
        if text[place] not in "{}\n":
            out.append(text[place])
        place += 1
    assert depth == 0
    return b"".join(one if isinstance(one, bytes) else one.encode("utf-16-le") for one in out).decode("utf-16-le")


def test_html_shows_hostile_names_and_runs_nothing():
    page = to_html(TABLE, (('x" onerror="alert(1).svg', HOSTILE),))
    read = Texts(page)
    assert "script" not in read.tags
    assert read.tags.count("td") == 3
    # title twice, subtitle, heading, row above, cell, note; and the words of the picture
    assert read.texts.count(HOSTILE) == 7
    assert 'src="x&quot; onerror=&quot;alert(1).svg"' in page
    assert unescape(page).count(HOSTILE) == 8


def test_rtf_is_ascii_with_closed_groups_and_the_same_text():
    text = to_rtf(TABLE)
    assert text.isascii()
    # title, subtitle, heading, row above, cell, note
    assert plain(text).count(HOSTILE) == 6
    assert "\\u-" in text


@pytest.fixture(scope="module")
def pages(simulated):
    study, made = simulated.study, simulated.outcomes
    found = [(one, print_outcome(study, made.people, one.outcome, one.table, one.measures)) for one in made.results]
    return study, made, found


def test_rtf_of_every_table(pages):
    study, made, found = pages
    every = [page for _, page in found]
    every += [print_baseline(study, made.people, made.baseline), print_flow(study, made.flow)]
    every.append(print_queries(study, made.queries))
    for page in every:
        written = plain(to_rtf(page))
        html = Texts(to_html(page)).texts
        for row in page.rows:
            assert len(row) in (1, len(page.columns))
            for cell in row:
                assert cell in written
                assert cell == "" or cell in html


NUMBER = re.compile(r"−?\d[\d,]*(?:\.\d+)?")


def printed_forms(table):
    """Every way in which a number of the tidy table may be printed."""
    forms = set()
    for name in ("n", "of", "estimate", "sd", "lower", "upper", "median", "q1", "q3"):
        for value in table[name].dropna().astype(float):
            text = three_digits(abs(value))
            forms |= {text, f"−{text}", f"{abs(value):.0f}", f"{value:.0f}", f"{value:.2f}"}
    for name in ("p_value", "p_adjusted"):
        for value in table[name].dropna():
            forms |= {f"{value:.3f}", three_digits(value), "0.001"}
    for category in table["category"]:
        forms |= set(NUMBER.findall(category))
    return forms


def test_every_printed_number_stands_in_the_tidy_table(pages):
    _, _, found = pages
    seen = 0
    for result, page in found:
        known = printed_forms(result.table)
        for row in page.rows:
            if len(row) == 1:
                continue
            for cell in row[1:]:
                for number in NUMBER.findall(cell):
                    assert number in known, (result.outcome.id, row[0], cell)
                    seen += 1
    assert seen > 1000


def test_a_number_stands_at_its_arm_and_visit(pages):
    study, made, found = pages
    labels = {visit.id: visit.label for visit in study.visits.values()}
    result, page = next(one for one in found if one[0].outcome.id == "STEROID")
    first = page.rows[1 : 1 + len(made.people.visits)]
    for row, visit in zip(first, made.people.visits, strict=True):
        assert row[0] == labels[visit]
        for place, arm in enumerate(made.people.arm_names):
            assert page.columns[1 + 2 * place].startswith(f"{arm}:")
            table = result.table.query("parameter == 'PREDEQM2' and analysis == 'value'")
            told = table[(table["arm"] == arm) & (table["visit"] == visit)].iloc[0]
            assert row[1 + 2 * place] == f"{told['n']}; {three_digits(told['estimate'])} ({three_digits(told['sd'])})"


def test_numbers_of_table_1(pages):
    study, made, _ = pages
    page = print_baseline(study, made.people, made.baseline)
    ages = next(row for row in page.rows if row[0] == "Age, years")
    for place, arm in enumerate(made.people.arm_names):
        mine = made.people.ages[made.people.arms == arm]
        assert ages[1 + place].startswith(f"{three_digits(mine.mean())} ({three_digits(mine.std(ddof=1))}); ")


def test_files_of_tests_with_any_name(tmp_path):
    names = ["IgG/IgA", "IgG-IgA", "../C3", "抗dsDNA"]
    rows = []
    for place, test in enumerate(names):
        for subject, shift in (("A", 0.1), ("B", 0.2)):
            rows += [
                f"{subject},{visit},{day},{test},{1 + place + step * shift},g/L,0.5,9"
                for step, (visit, day) in enumerate(DAYS.items())
            ]
    quoted = ", ".join(f'"{one}"' for one in names)
    trial = Trial(tmp_path, f"  LAB: {{kind: laboratory, tests: [{quoted}], visit: M1}}\n", labs=LABS + "\n".join(rows))
    trial.subject("A", "IL2").subject("B", "STD")
    made = trial.make()
    out = tmp_path / "results"
    out.mkdir()
    write_outcomes(out, read_study(trial.path / "study.yaml"), made, NO_MODEL)
    assert [path.name for path in out.iterdir()] == ["outcomes"]
    page = (out / "outcomes" / "LAB.html").read_text()
    pictures = re.findall(r'<img src="([^"]*)"', page)
    assert len(pictures) == len(set(pictures)) == 3 * len(names)
    assert all((out / "outcomes" / unescape(name)).is_file() for name in pictures)
