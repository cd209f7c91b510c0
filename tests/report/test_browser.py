"""The page in a real browser: no errors, and the numbers and pictures that a reader sees."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import fake_trial
import pytest

from il2cyto.report import build_report
from il2cyto.report.numbers import three_digits

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the page with")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=8000",
    "--run-all-compositor-stages-before-draw",
    "--enable-logging=stderr",
    "--v=0",
    "--window-size=1400,2000",
    "--dump-dom",
)


def show(folder: Path, page: str, link: str = "") -> tuple[str, list[str]]:
    """The document after its script ran, and what the console said."""
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'profile'}", f"{file.as_uri()}{link}"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def trial():
    return fake_trial.make_inputs()


@pytest.fixture(scope="module")
def opened(trial, tmp_path_factory):
    page = build_report(trial)
    # pictures are drawn when they come into view, which takes a frame that a busy machine may not give in time
    for _ in range(3):
        found = show(tmp_path_factory.mktemp("page"), page, "#tube=P003-BL-TREG")
        if 'data-drawn="1"' in found[0]:
            break
    return found


def section(document: str, name: str) -> str:
    return document.split(f'<section id="{name}">')[1].split("</section>")[0]


def test_the_console_is_silent(opened):
    assert opened[1] == []


def test_a_link_opens_a_tube_and_draws_it(opened):
    gating = section(opened[0], "gating")
    assert "<b>P003-BL-TREG</b>" in gating
    # 15 gates: one not estimable, one boolean, 13 pictures
    assert len(re.findall(r'<canvas[^>]*data-drawn="1"', gating)) == 13
    assert "not estimable: marker absent: CD39" in gating
    assert "<span>0 of 0</span><b>–</b>" in gating
    assert re.search(r'<li role="option" aria-selected="true"[^>]*>P003 · Baseline · TREG', gating)


def test_gates_that_are_no_longer_the_strategys_are_marked(opened):
    tree = section(opened[0], "gating").split('<table class="tree">')[1].split("</table>")[0]
    rows = {re.search(r"<button[^>]*>([^<]+)<", row)[1]: row for row in tree.split("<tr>")[2:]}
    marked = {name: re.search(r">corrected</span><small[^>]*>([^<]+)<", row) for name, row in rows.items()}
    assert {name: said[1] for name, said in marked.items() if said} == {
        "CD4": "for this batch, Ann Other, 2026-03-02T06:05:00Z: CD25 was stained with a new lot; see 批号 7",
        "Treg": "for this tube, Bo Chen, 2026-03-04T01:00:00Z: the population is dim in this tube",
    }


def test_counts_are_printed_with_three_digits(opened, trial):
    counts = section(opened[0], "counts")
    table = trial.visit_counts
    treg = table[table["name"] == "Treg"]
    shown = re.findall(r"<b>([^<]+)</b>", counts.split('id="counts-table"')[1])
    assert shown == [three_digits(value) for value in treg["cells_per_ul"]]
    intervals = re.findall(r"</b><small>([^<]+)</small>", counts.split('id="counts-table"')[1])
    assert intervals == [
        f"{three_digits(low)}–{three_digits(high)}" for low, high in zip(treg["lower"], treg["upper"], strict=True)
    ]
    assert counts.count(">no visit<") == 1
    assert counts.count(">failed<") == 1


def test_zero_below_lloq_and_not_estimable(trial, tmp_path):
    activated = "treg/" + fake_trial.path("treg", "activated")
    document, console = show(tmp_path, build_report(replace(trial, plots=(), default_population=activated)))
    assert console == []
    counts, curves = section(document, "counts"), section(document, "trajectories")
    assert "no geometric mean: 1 of 4 values are zero" in counts
    below = trial.visit_counts.query("name == 'activated' and below_lloq")
    assert counts.split('id="counts-table"')[1].count("&lt;LLOQ</span>") == len(below) + 1  # and once in the legend
    assert curves.count('class="below"') == len(below)
    lost = "treg/" + fake_trial.path("treg", "CD39+")
    document, _ = show(tmp_path, build_report(replace(trial, plots=(), default_population=lost)))
    assert section(document, "counts").count('<i class="lost" title="not estimable: marker absent: CD39') == 34
    assert "No value above zero to draw." in document


def test_model_rows_of_the_last_visit(opened):
    model = section(opened[0], "model")
    assert model.count("<tr>") == 13  # heading, 6 populations in 2 arms
    assert model.count("&lt;0.001") == 3
    assert model.count(">not estimable<") == 2
    assert "1.76–2.86" in model
    assert ">change from baseline · Week 24 (end of treatment)</p>" in model


def test_hostile_text_does_nothing(tmp_path):
    from test_page import HOSTILE, hostile_inputs

    document, console = show(tmp_path, build_report(hostile_inputs()).replace("</body>", "<p id=end></p></body>"))
    assert console == []
    assert "<img" not in document
    assert len(re.findall(r"<script", document)) == 3
    assert HOSTILE.split("<img")[0].replace("<", "&lt;").replace(">", "&gt;") in section(document, "counts")


def test_both_printers_of_numbers_agree(trial, tmp_path):
    values = [
        0.0,
        1e-5,
        0.0123456,
        0.5,
        9.994,
        9.995,
        99.95,
        123.456,
        999.5,
        1225.0,
        2.125,
        12345.678,
        1234567.0,
        1000.0,
    ]
    counts = (
        trial.visit_counts.query("name == 'Treg'")
        .iloc[: len(values)]
        .assign(cells_per_ul=values, lower=None, upper=None)
    )
    page = build_report(
        replace(trial, counts=counts, visit_counts=counts, plots=(), default_population=None, model=None)
    )
    document, _ = show(tmp_path, page)
    shown = re.findall(r"<b>([^<]+)</b>", section(document, "counts").split('id="counts-table"')[1])
    assert shown == [three_digits(value) for value in values]


ACTIONS = """
<script>
const said = [];
const cell = (n) => document.querySelector("#counts-table tbody tr td:nth-child(" + n + ")").textContent;
const rows = () => document.querySelectorAll("#counts-table tbody tr").length;
const type = (input, value) => {
  input.value = value;
  input.dispatchEvent(new Event(input.tagName === "SELECT" ? "change" : "input"));
};
const key = (name) => document.dispatchEvent(new KeyboardEvent("keydown", { key: name, cancelable: true }));
const tube = () => document.querySelector("#gating-bar b").textContent + " " + decodeURIComponent(location.hash);
document.getElementById("gating").scrollIntoView();
key("ArrowRight"); said.push(tube());
key("ArrowRight"); said.push(tube());
key("ArrowLeft"); key("ArrowLeft"); said.push(tube());
type(document.querySelector(".chooser input"), "p010 treg");
said.push(document.getElementById("tube-count").textContent);
document.querySelectorAll("#counts-table th")[3].click(); said.push(cell(1));
document.querySelectorAll("#counts-table th")[3].click(); said.push(cell(1));
type(document.getElementById("counts-arm"), "1"); said.push(rows());
type(document.getElementById("counts-subject"), "sjögren"); said.push(rows());
document.getElementById("counts-flagged").click(); said.push(rows());
type(document.querySelector("[data-place=trajectories] input"), "nkbright");
said.push(document.querySelector(".population-of b").textContent);
said.push(document.querySelector("[data-place=counts] select").selectedOptions[0].textContent);
document.body.append(Object.assign(document.createElement("pre"), { id: "said", textContent: said.join("|") }));
</script></body>"""


def test_keys_filters_and_sorting(trial, tmp_path):
    page = build_report(trial).replace("</body>", ACTIONS)
    document, console = show(tmp_path, page, "#tube=P009-BL-TREG")
    assert console == []
    said = document.split('<pre id="said">')[1].split("</pre>")[0].split("|")
    baseline = (
        trial.visit_counts.query("name == 'Treg' and visit == 'BL'").sort_values("cells_per_ul")["subject"].tolist()
    )
    assert said == [
        "P009-W12-TBNK #tube=P009-W12-TBNK",
        "P009-W12-TREG #tube=P009-W12-TREG",  # failed, and still in the list
        "P009-BL-TREG #tube=P009-BL-TREG",
        "3 of 71 tubes",
        baseline[0],
        baseline[-1],
        "5",
        "2",
        "1",  # P012 has nothing to look at, P009 a failed tube
        "NKbright",
        "NKbright  (live › NK)",
    ]
