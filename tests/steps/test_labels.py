"""Chinese, accented and long labels come through a whole run, and an unscheduled visit stands apart from its model."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import mudata
import pandas as pd
import pytest

from il2cyto.linking.join import columns_stay
from il2cyto.steps.run import run_study
from il2cyto.study import read_study
from il2cyto.visits import read_visits

CHINESE = "受试者〇一"
ACCENTED = "Zoë-Élodie Müller-Größenwahn-Żółć-Ångström " + "très longue " * 8 + "fin"
DIAGNOSIS = "系统性红斑狼疮（活动期）"
ARM = "低剂量白细胞介素-2 + 标准治疗，每周期五天用药、九天停药，共十三个周期（180天）"
VISIT = "Première visite après l’inclusion – premier mois, fenêtre de deux à soixante jours"
TITLE = "低剂量白细胞介素-2治疗儿童自身免疫病：数据处理示例"


@pytest.fixture(scope="module")
def labelled(trial: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bead tubes of the trial with other labels and an unscheduled visit; GB18030, semicolons, decimal commas."""
    folder = tmp_path_factory.mktemp("labels") / "study"
    shutil.copytree(trial, folder, ignore=shutil.ignore_patterns("truth"))
    names = {"P001": CHINESE, "P002": ACCENTED}
    for name in ("samples", "dosing", "serum"):
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream))
        place = header.index("subject")
        for row in rows:
            row[place] = names.get(row[place], row[place])
        if name == "samples":
            rows = [row for row in rows if row[header.index("tube")] == "TBNK"]
            for row in rows:
                row[header.index("diagnosis")] = DIAGNOSIS
                age = header.index("age_years")
                row[age] = row[age].replace(".", ",")
            last = next(row for row in rows if row[place] == CHINESE and row[header.index("visit")] == "M1")
            last[header.index("visit")] = "UNS"
        text = io.StringIO()
        csv.writer(text, delimiter=";" if name == "samples" else ",").writerows([header, *rows])
        # GB18030 has every letter of Unicode, so also the Polish and Swedish ones of this study
        (folder / f"{name}.csv").write_bytes(text.getvalue().encode("gb18030"))
    yaml = (folder / "study.yaml").read_text(encoding="utf-8")
    # the sheets of the clinic keep the ids that are changed here
    clinic = ("conmeds:", "vitals:", "labs:", "scores:", "ae:")
    yaml = "".join(line + "\n" for line in yaml[: yaml.index("outcomes:")].splitlines() if not line.startswith(clinic))
    for old, new in (
        ("title: Simulated trial of low-dose interleukin-2 with known truth", f"title: {TITLE}"),
        ("label: Low-dose IL-2 + standard therapy", f"label: {ARM}"),
        ("label: Month 1", f'label: "{VISIT}"'),
    ):
        assert old in yaml
        yaml = yaml.replace(old, new)
    yaml += f'words: [{DIAGNOSIS}]\nsheets: {{encoding: gb18030, samples: {{delimiter: semicolon, decimal: ","}}}}\n'
    (folder / "study.yaml").write_text(yaml, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def results(labelled: Path) -> Path:
    out = labelled.parent / "out"
    assert run_study(read_study(labelled / "study.yaml"), out).exit_code == 0
    return out


def test_tables(results):
    for name in ("counts.csv", "counts_wide.csv"):
        if (results / name).exists():
            table = pd.read_csv(results / name)
            assert {CHINESE, ACCENTED} <= set(table["subject"])
            assert set(table["diagnosis"]) == {DIAGNOSIS}
    counts = pd.read_csv(results / "counts.csv")
    assert set(counts.loc[counts["subject"] == CHINESE, "visit"]) == {"BL", "UNS0.01"}


def test_visits_and_linked(results):
    visits = read_visits(results / "visits.h5ad")
    with columns_stay():
        linked = mudata.read_h5mu(results / "linked.h5mu")
    for names in (visits.obs_names, linked.obs_names):
        assert {f"{CHINESE}|BL", f"{CHINESE}|UNS0.01", f"{ACCENTED}|BL"} <= set(names)
    assert set(visits.obs["DIAGNOSIS"]) == {DIAGNOSIS}
    row = visits.obs.loc[f"{CHINESE}|UNS0.01"]
    assert (row["AVISITN"], row["VISIT"], row["ANL01FL"], row["ABLFL"], row["notice"]) == (
        0.01,
        "",
        "",
        "",
        "unscheduled",
    )
    assert visits.obs.loc[f"{ACCENTED}|BL", ["ANL01FL", "ABLFL"]].tolist() == ["Y", "Y"]


def test_what_stands_apart_is_in_no_model(results):
    model = pd.read_csv(results / "model.csv")
    assert set(model["visit"]) <= {"BL", "M1"}
    assert [CHINESE, "IL2", "M1"] in pd.read_csv(results / "missing_visits.csv").to_numpy().tolist()


def test_report(results):
    page = (results / "report.html").read_text(encoding="utf-8")
    for text in (CHINESE, ACCENTED, TITLE, ARM, VISIT, DIAGNOSIS, "Unscheduled 0.01"):
        assert text in page, text
