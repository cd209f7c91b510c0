"""Contact sheets and quality in a real browser: the odd tube is found, ordered, filtered and opened."""

from __future__ import annotations

import math
import re

import fake_trial
import numpy as np
import pytest
from test_browser import CHROMIUM, section, show

from il2cyto.pl import tube_oddness
from il2cyto.report import build_report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the page with")

CD4 = fake_trial.path("treg", "CD4")
ODD = "P004-W12-TREG"

ACTIONS = """
<script>
const said = [];
const by = (id) => document.getElementById(id);
const pick = (id, value) => {
  by(id).value = value;
  by(id).dispatchEvent(new Event(by(id).tagName === "SELECT" ? "change" : "input"));
};
const cards = () => [...by("sheet-cards").children].map((card) => card.dataset.tube);
const framed = () => [...document.querySelectorAll("#sheet-cards .odd")]
  .map((card) => card.dataset.tube + ": " + card.querySelector(".say").textContent);
const rows = () => [...document.querySelectorAll("#quality-table tbody tr")];
said.push(cards().length, cards()[0], framed().join());
pick("sheet-order", "oddness"); said.push(cards()[0]);
pick("sheet-order", "subject"); said.push(cards().slice(0, 3).join());
pick("sheet-arm", "1"); said.push(cards().length, framed().length);
pick("sheet-visit", "0"); said.push(cards().join());
pick("sheet-arm", ""); pick("sheet-visit", "");
const hash = () => decodeURIComponent(location.hash);
pick("sheet-search", "helios"); said.push(by("sheet-about").querySelector("b").textContent, hash());
document.querySelector("#sheet-cards .title").click();
said.push(hash(), document.querySelector("#gating-bar b").textContent, document.activeElement.id);
by("tube-list").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", cancelable: true }));
said.push(document.querySelector("#gating-bar b").textContent);
document.querySelector("#gating-cards .more").click(); said.push(hash());
pick("quality-search", "p003"); said.push(rows().length);
pick("quality-search", ""); said.push(rows().length);
const headings = () => [...document.querySelectorAll("#quality-table th")];
const heading = () => headings().find((th) => /^To look/.test(th.textContent));
heading().querySelector("button").click();
said.push(document.activeElement.textContent);
said.push(heading().getAttribute("aria-sort")); heading().click();
said.push(rows()[0].textContent.includes("DATA ends at byte"));
location.hash = "#tube=P003-BL-TBNK";
setTimeout(() => {
  said.push(document.querySelector("#gating-bar b").textContent);
  document.body.append(Object.assign(document.createElement("pre"), { id: "said", textContent: said.join("|") }));
}, 500);
</script></body>"""


@pytest.fixture(scope="module")
def trial():
    return fake_trial.make_inputs()


def deviation(trial, tube_id):
    """The largest deviation of a tube at the gate CD4, with the formulas of the docs in NumPy."""
    gates = {
        plots["tube_id"]: next(gate for gate in plots["gates"] if gate["population"] == CD4)
        for _, plots in trial.plots
        if plots["tube_id"].endswith("TREG")
    }
    ranges = {
        axis: (sorted(g[axis]["range"][0] for g in gates.values())[0], max(g[axis]["range"][1] for g in gates.values()))
        for axis in "xy"
    }

    def z(values, variances, floor):
        middle = np.median(list(values.values()))
        spread = 1.4826 * np.median([abs(value - middle) for value in values.values()])
        return (values[tube_id] - middle) / math.sqrt(spread**2 + floor**2 + variances[tube_id])

    count = {name: gate["count"] for name, gate in gates.items()}
    outside = {name: gate["parent_count"] - gate["count"] for name, gate in gates.items()}
    found = {
        "percentage": z(
            {name: math.log((count[name] + 0.5) / (outside[name] + 0.5)) for name in gates},
            {name: 1 / (count[name] + 0.5) + 1 / (outside[name] + 0.5) for name in gates},
            0.05,
        )
    }
    for k, axis in enumerate("xy"):
        low, high = (float(f"{edge:.5g}") for edge in ranges[axis])
        found[axis] = z(
            {name: gate["center"][k] for name, gate in gates.items()},
            {name: (1.2533 * gate["spread"][k]) ** 2 / gate["count"] for name, gate in gates.items()},
            0.01 * (high - low),
        )
    return found


def same_in_notebooks(trial):
    """What `pl.tube_oddness` says of every tube at the gate CD4."""
    found = {tube_id: gate for tube_id, plots in trial.plots for gate in plots["gates"] if gate["population"] == CD4}
    found = {tube_id: gate for tube_id, gate in found.items() if tube_id.endswith("TREG")}
    spans = tuple(
        max(gate[axis]["range"][1] for gate in found.values()) - min(gate[axis]["range"][0] for gate in found.values())
        for axis in "xy"
    )
    return dict(zip(found, tube_oddness(list(found.values()), spans), strict=True))


def test_the_odd_tube_is_found_and_opened(trial, tmp_path):
    document, console = show(tmp_path, build_report(trial).replace("</body>", ACTIONS), f"#gate=treg/{CD4}")
    assert console == []
    said = document.split('<pre id="said">')[1].split("</pre>")[0].split("|")
    expected = deviation(trial, ODD)
    assert max(expected, key=lambda name: abs(expected[name])) == "x"
    assert same_in_notebooks(trial)[ODD] == pytest.approx(abs(expected["x"]), rel=1e-4)
    helios = fake_trial.path("treg", "Helios+")
    assert said == [
        "34",
        "P001-BL-TREG",
        f"{ODD}: CD25 {abs(expected['x']):.1f} SD below the median",
        ODD,
        "P001-BL-TREG,P001-W12-TREG,P001-W24-TREG",
        "14",  # 5 subjects × 3 visits, one tube of which has failed
        "0",
        "P008-BL-TREG,P009-BL-TREG,P010-BL-TREG,P011-BL-TREG,P012-BL-TREG",
        "Helios+",
        f"#gate=treg/{helios}",
        "#tube=P001-BL-TREG",
        "P001-BL-TREG",
        "tube-list",
        "P001-W12-TBNK",
        f"#gate=tbnk/{fake_trial.path('tbnk', 'time_qc')}",
        "6",
        "71",
        "To look at",  # keeps the focus when the table is drawn anew
        "ascending",
        "true",
        "P003-BL-TBNK",
    ]


def test_pictures_of_a_sheet_share_their_axes(trial, tmp_path):
    document, console = show(tmp_path, build_report(trial), f"#gate=treg/{CD4}")
    assert console == []
    sheet = section(document, "sheet")
    assert "34 tubes" in sheet
    assert re.search(r'<canvas[^>]*data-drawn="1"', sheet)
    assert sheet.count('class="card odd"') == 1
    assert "x: CD25 · y: CD127" in sheet


def test_quality_prints_what_the_files_tell(trial, tmp_path):
    document, _ = show(tmp_path, build_report(trial), "#tube=P001-BL-TREG")
    quality = section(document, "quality")
    row = quality.split("P001-BL-TREG</button>")[1].split("</tr>")[0]
    assert re.findall(r"<td[^>]*>([^<]+)<", row)[:5] == ["P001", "Baseline", "TREG", "FACSCanto II", "4,000"]
    assert ">62.5<" in row
    assert "0.750<small>SSC-A</small>" in row
    assert "60 parts of 1.04 s; mean 57.2 events/s" in row
