from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import fake_trial
import pandas as pd
import pytest

from il2cyto.report import Arm, Visit, build_report

HOSTILE = "</script><script>window.broken=1</script><img src=x onerror=alert(1)>\"' & <!-- \u2028"


class Page(HTMLParser):
    """Elements, attributes and the text of script elements."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.scripts: list[tuple[dict, str]] = []
        self.text = ""
        self._script: dict | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "script":
            self._script = dict(attrs)
            self.scripts.append((self._script, ""))

    def handle_endtag(self, tag):
        if tag == "script":
            self._script = None

    def handle_data(self, data):
        if self._script is not None:
            self.scripts[-1] = (self._script, self.scripts[-1][1] + data)
        else:
            self.text += data


@pytest.fixture(scope="module")
def html() -> str:
    return build_report(fake_trial.make_inputs())


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_same_inputs_same_bytes(html):
    assert build_report(fake_trial.make_inputs()) == html


def test_sections_in_order(html):
    found = re.findall(r'<section id="(\w+)">', html)
    assert found == [
        "overview", "flags", "trajectories", "counts", "model", "sheet", "gating", "quality", "serum", "miflowcyt",
        "provenance", "methods",
    ]  # fmt: skip


def test_header_says_what_it_is(page):
    assert "12 subjects in 2 arms · 3 visits · 69 of 71 tubes gated · 2 failures · 12 notices" in page.text
    assert "not randomised, adjusted for the baseline value only" in page.text


def test_nothing_is_loaded_from_outside(html, page):
    assert "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:" in html
    assert not [a for a in page.attributes if a[1] == "src"]
    links = [value for tag, name, value in page.attributes if name == "href"]
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert "@import" not in html
    # the one address in the page is the name space of SVG, which is never fetched
    assert set(re.findall(r"https?://[^\s\"'<)]+", html)) == {"http://www.w3.org/2000/svg"}
    assert not [a for a in page.attributes if a[1].startswith("on")]


def test_blocks_of_data_are_json(page):
    blocks = {attributes["id"]: json.loads(text) for attributes, text in page.scripts if attributes.get("type")}
    assert len(blocks) == 70
    data = blocks["data"]
    assert [arm["label"] for arm in data["arms"]] == ["Low-dose IL-2", "Standard of care"]
    tube = next(tube for tube in data["tubes"] if tube["id"] == "P003-BL-TREG")
    names = [data["gates"][row[0]][1].split("/")[-1] for row in tube["gates"]]
    assert names == list(fake_trial.STRATEGIES["treg"])
    block = blocks[f"plots-{tube['block']}"]
    assert len(block) == len(names)
    rows = dict(zip(names, tube["gates"], strict=True))
    assert rows["ICOS+"][3:5] == [0, 0]
    assert data["texts"][rows["CD39+"][13]] == "marker absent: CD39"
    assert rows["CD39+"][3:5] == [None, None]
    assert block[names.index("CD39+")][1] == ""
    assert block[names.index("CD4")][0] == 64


def test_names_of_any_script_survive(page):
    assert "小剂量白介素-2" in page.text
    data = json.loads(next(text for attributes, text in page.scripts if attributes.get("id") == "data"))
    assert {"系统性红斑狼疮", "Sjögren"} <= {subject[2] for subject in data["subjects"]}


def test_flags_of_72_tubes_stay_short(page):
    assert "1 population in 34 tubes" in page.text
    assert "few beads1 tube, 15 populations" in page.text.replace("\n", "").replace("</td>", "")
    assert "36 visits: 33 matched, 3 only counts." in page.text
    assert page.text.count("$TOT is 0; the number of events follows from the length of DATA") == 1


def hostile_inputs():
    trial = fake_trial.make_inputs(with_plots=False)
    counts = trial.counts.copy()
    text = [
        "subject",
        "diagnosis",
        "tube_id",
        "strategy",
        "population",
        "name",
        "definition",
        "route",
        "reason",
        "flags",
    ]
    for column in text:
        counts[column] = counts[column] + HOSTILE
    changed = {"counts": counts, "visit_counts": counts}
    for name in ("failures", "model", "link_report", "serum"):
        table = getattr(trial, name).copy()
        for column in table:
            if pd.api.types.is_string_dtype(table[column].dtype) and column not in ("severity", "visit", "status"):
                table[column] = [
                    HOSTILE if value is None else f"{value}{HOSTILE}" if isinstance(value, str) else value
                    for value in table[column]
                ]
        changed[name] = table
    gate = {
        "population": HOSTILE,
        "status": "not_estimable",
        "reason": HOSTILE,
        "count": None,
        "parent_count": None,
        "percent_parent": None,
    }
    overrides = pd.DataFrame(HOSTILE, index=[0], columns=trial.overrides.columns).assign(status="applied")
    return replace(
        trial,
        **changed,
        overrides=overrides,
        study_id=HOSTILE,
        title=HOSTILE,
        registry=HOSTILE,
        arms=tuple(Arm(arm.id, HOSTILE, arm.reference) for arm in trial.arms),
        visits=tuple(Visit(visit.id, HOSTILE, visit.number) for visit in trial.visits),
        missing_visits=trial.missing_visits.assign(subject=HOSTILE),
        manifest={HOSTILE: HOSTILE, "nested": {HOSTILE: [HOSTILE]}, "list": [{HOSTILE: HOSTILE}]},
        assumptions=(HOSTILE,),
        plots=[(HOSTILE, {"tube_id": HOSTILE, "n_events": 1, "gates": [gate]})],
    )


def test_hostile_text_is_inert(html, page):
    attacked = Page(build_report(hostile_inputs()))
    assert "img" not in attacked.tags
    assert attacked.tags.count("script") == 3  # the data, one tube, the code
    assert set(attacked.tags) <= set(page.tags)
    assert not [a for a in attacked.attributes if a[1].startswith("on")]
    blocks = [json.loads(text) for attributes, text in attacked.scripts if attributes.get("type")]
    assert blocks[1]["arms"][0]["label"] == HOSTILE
    (tube,) = [tube for tube in blocks[1]["tubes"] if "moved" in tube]
    assert [blocks[1]["texts"][said] for said in tube["moved"][0][1:]] == [HOSTILE] * 4
    assert blocks[0] == [[0, "", 0]]
    (tube,) = [tube for tube in blocks[1]["tubes"] if tube["gates"]]
    assert blocks[1]["texts"][tube["gates"][0][13]] == HOSTILE
    assert blocks[1]["gates"][0][1] == HOSTILE


def test_a_study_without_model_serum_or_pictures():
    trial = fake_trial.make_inputs(with_plots=False)
    html = build_report(
        replace(trial, model=None, serum=None, link_report=None, manifest={}, failures=trial.failures.iloc[:0])
    )
    assert 'id="serum"' not in html
    assert "No tube failed." in html


def test_scripts_of_the_page_cannot_end_their_element(page):
    code = [text for attributes, text in page.scripts if not attributes.get("type")]
    assert len(code) == 1
    assert code[0].rstrip().endswith("})();")
