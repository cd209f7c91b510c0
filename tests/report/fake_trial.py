"""A small trial that never was, with everything in it that a report must cope with."""

from __future__ import annotations

import numpy as np
import pandas as pd

from il2cyto.report import Arm, ReportInputs, Visit, axis_ticks, gate_picture

STRATEGIES = {
    "tbnk": {
        "time_qc": ("root", 0.97),
        "singlets": ("time_qc", 0.92),
        "beads": ("time_qc", 0.04),
        "leuko": ("singlets", 0.93),
        "lympho": ("leuko", 0.27),
        "live": ("lympho", 0.96),
        "CD3": ("live", 0.71),
        "CD4": ("CD3", 0.55),
        "CD8": ("CD3", 0.33),
        "DN": ("CD3", 0.06),
        "NKT": ("CD3", 0.04),
        "B": ("live", 0.16),
        "NK": ("live", 0.11),
        "NKdim": ("NK", 0.9),
        "NKbright": ("NK", 0.05),
    },
    "treg": {
        "time_qc": ("root", 0.98),
        "singlets": ("time_qc", 0.9),
        "lympho": ("singlets", 0.5),
        "live": ("lympho", 0.95),
        "CD3": ("live", 0.7),
        "CD4": ("CD3", 0.6),
        "Treg": ("CD4", 0.06),
        "Tconv": ("CD4", 0.94),
        "FOXP3+": ("Treg", 0.9),
        "naive": ("Treg", 0.45),
        "memory": ("Treg", 0.55),
        "activated": ("memory", 0.3),
        "Helios+": ("Treg", 0.8),
        "ICOS+": ("Treg", 0.2),
        "CD39+": ("Treg", 0.35),
    },
}
VISITS = (Visit("BL", "Baseline", 1), Visit("W12", "Week 12", 2), Visit("W24", "Week 24 (end of treatment)", 3))
ARMS = (Arm("IL2", "Low-dose IL-2"), Arm("SOC", "Standard of care", reference=True))
SUBJECTS = [(f"P{i:03d}", "IL2" if i <= 7 else "SOC") for i in range(1, 13)]


def path(strategy: str, name: str) -> str:
    parent = STRATEGIES[strategy][name][0]
    return name if parent == "root" else f"{path(strategy, parent)}/{name}"


def logicle_like(x):
    return (np.arcsinh(np.asarray(x) / 150.0) / np.arcsinh(262144 / 150.0)) * 0.85 + 0.15


def _axis(label, limits, transform):
    return {"label": label, "range": limits, "ticks": [list(tick) for tick in axis_ticks(transform, *limits)]}


def tube_plots(tube_id: str, strategy: str, rng: np.random.Generator, events: int = 4000) -> dict:
    gates = []
    for index, name in enumerate(STRATEGIES[strategy]):
        parent, share = STRATEGIES[strategy][name]
        entry = {
            "population": path(strategy, name),
            "parent": "root" if parent == "root" else path(strategy, parent),
            "type": "polygon",
            "status": "estimated",
            "reason": "",
            "count": int(events * share),
            "parent_count": events,
            "percent_parent": 100 * share,
        }
        scatter = index in (1, 3)
        transform = (lambda x: np.asarray(x) / 262144.0) if scatter else logicle_like
        low = rng.normal([0.2, 0.25], 0.07, (events // 2, 2))
        points = np.vstack([low, rng.normal([0.65, 0.7], [0.05, 0.09], (events - len(low), 2))])
        if name in ("FOXP3+", "time_qc"):
            picture = gate_picture(points[:, 0])
            entry |= {"type": "rectangle", "y": None, "outline": None, "xlim": [0.5, None]}
        else:
            outline = [[0.48, 0.4], [0.85, 0.4], [0.85, 1.0], [0.6, 1.05], [0.48, 0.9]]
            picture = gate_picture(points[:, 0], points[:, 1], outline=outline)
            entry |= {
                "y": _axis("SSC-A" if scatter else "CD127", picture["y_range"], transform),
                "outline": outline,
                "xlim": None,
            }
        entry |= {
            "x": _axis("FSC-A" if scatter else "CD25", picture["x_range"], transform),
            "bins": 64,
            "density": picture["density"],
        }
        if name == "CD39+":
            entry |= {
                "status": "not_estimable",
                "reason": "marker absent: CD39",
                "count": None,
                "parent_count": None,
                "percent_parent": float("nan"),
            }
            entry |= {"x": None, "y": None, "outline": None, "density": None}
        if name == "Tconv":
            entry |= {"type": "boolean", "x": None, "y": None, "outline": None, "density": None}
        if name == "ICOS+":
            entry |= {"count": 0, "parent_count": 0, "percent_parent": float("nan")}
        if entry["density"] is not None:
            # one tube whose CD4 stain has failed
            shift = -0.2 if (tube_id, name) == ("P004-W12-TREG", "CD4") else 0.0
            entry["center"] = [round(0.65 + rng.normal(0, 0.004) + shift, 5), round(0.7 + rng.normal(0, 0.004), 5)]
            entry["spread"] = [0.05, 0.09]
            entry["n_outside"] = 3
        gates.append(entry)
    instrument = {
        "cytometer": "FACSCanto II",
        "channels": [
            {"name": "FSC-A", "marker": "", "fluorochrome": "", "voltage": "310", "range": "262144"},
            {
                "name": "PE-A",
                "marker": "CD25",
                "fluorochrome": "PE",
                "voltage": "490" if tube_id.startswith("P00") else "480",
                "range": "262144",
                "filter": "585/42",
                "excitation": "488",
            },
        ],
    }
    acquisition = {"duration": 62.5, "rate": [60] * 30 + [5] * 5 + [70] * 25, "margins": [["SSC-A", 0.75]]}
    return {
        "tube_id": tube_id,
        "n_events": events,
        "instrument": instrument,
        "acquisition": acquisition,
        "gates": gates,
    }


def make_inputs(seed: int = 1, *, with_plots: bool = True) -> ReportInputs:
    rng = np.random.default_rng(seed)
    rows, plots = [], []
    for number, (subject, arm) in enumerate(SUBJECTS):
        own = rng.normal(0, 0.35)
        for visit in VISITS:
            if (subject, visit.id) == ("P005", "W24"):
                continue
            for strategy, tree in STRATEGIES.items():
                tube_id = f"{subject}-{visit.id}-{strategy.upper()}"
                if tube_id == "P009-W12-TREG":
                    continue
                fold = 2.2 if arm == "IL2" and visit.id != "BL" else 1.0
                level = {"root": 6000.0}
                for name, (parent, share) in tree.items():
                    up = fold if name in ("Treg", "NKbright") else 1.0
                    level[name] = (
                        level[parent] * share * up * np.exp(rng.normal(0, 0.1) + (own if parent == "root" else 0))
                    )
                    value = level[name]
                    zero = (subject, visit.id, name) == ("P010", "W12", "activated")
                    lost = name == "CD39+"
                    count = None if lost else 0 if zero else int(value * 6)
                    no_route = name in ("time_qc", "singlets", "beads")
                    below = name in ("activated", "ICOS+") and count is not None and count < 110
                    rows.append(
                        {
                            "study": "LUPIL",
                            "subject": subject,
                            "arm": arm,
                            "diagnosis": ["SLE", "系统性红斑狼疮", "Sjögren"][number % 3],
                            "visit": visit.id,
                            "visit_number": visit.number,
                            "collection_date": "2024-03-01",
                            "ady": 1,
                            "days_since_dose": 3,
                            "tube": strategy.upper(),
                            "tube_id": tube_id,
                            "n_tubes": 1,
                            "strategy": strategy,
                            "population": path(strategy, name),
                            "name": name,
                            "parent": "root" if parent == "root" else path(strategy, parent),
                            "definition": f"il2cyto.{name.lower()}.v1",
                            "role": name if name in ("time_qc", "beads") else "",
                            "count": count,
                            "parent_count": None if lost else int(level[parent] * 6),
                            "percent_parent": np.nan if lost else 100 * value / level[parent],
                            "n_undefined": 0,
                            "route": "none" if no_route else "beads" if strategy == "tbnk" else "chained",
                            "cells_per_ul": np.nan if lost or no_route else 0.0 if zero else value,
                            "lower": np.nan if lost or no_route else 0.0 if zero else value * 0.87,
                            "upper": np.nan if lost or no_route else 0.62 if zero else value * 1.15,
                            "cv": np.nan if lost or no_route or zero else 0.07,
                            "below_lloq": below,
                            "status": "not_estimable" if lost else "estimated",
                            "reason": "marker absent: CD39" if lost else "",
                            "flags": ";".join(["below_lloq"] * below + ["few_beads"] * (tube_id == "P003-BL-TBNK")),
                        }
                    )
                if with_plots:
                    plots.append((tube_id, tube_plots(tube_id, strategy, rng)))
    counts = pd.DataFrame(rows).astype({"count": "Int64", "parent_count": "Int64"})
    visit_counts = counts[~((counts["strategy"] == "treg") & counts["name"].isin(["CD3", "CD4"]))]
    return ReportInputs(
        study_id="LUPIL-2",
        title="Low-dose interleukin-2 in childhood-onset lupus – 小剂量白介素-2",
        registry="NCT00000000",
        arms=ARMS,
        visits=VISITS,
        counts=counts,
        visit_counts=visit_counts,
        failures=_failures(),
        missing_visits=pd.DataFrame({"subject": ["P005"], "arm": ["IL2"], "visit": ["W24"]}),
        model=_model(),
        link_report=_link(),
        serum=_serum(rng),
        manifest={
            "il2cyto": "0.1.0",
            "python": "3.11.9",
            "packages": {"numpy": "2.4.6", "pandas": "2.3.3"},
            "strategies": {
                "tbnk": {"version": "1.0", "sha256": "ab" * 32},
                "treg": {"version": "1.0", "sha256": "cd" * 32},
            },
            "inputs": [{"tube": f"{s}-BL-TBNK", "sha256": "0f" * 32} for s, _ in SUBJECTS],
        },
        assumptions=("Blood was drawn before the dose of the day.", "Tubes were stained within 24 hours."),
        plots=plots,
        default_population="treg/" + path("treg", "Treg"),
        overrides=_overrides(),
    )


def _overrides() -> pd.DataFrame:
    """Treg of one subject, of which one tube has a gate of its own; and a gate of one batch."""
    treg, cd4 = path("treg", "Treg"), path("treg", "CD4")
    lot = ("Ann Other", "2026-03-02T06:05:00Z", "CD25 was stained with a new lot; see 批号 7")
    tube = ("Bo Chen", "2026-03-04T01:00:00Z", "the population is dim in this tube")
    rows = [
        ("P003-BL-TREG", "P003", "BL", "TREG", "treg", treg, "p003", "subject", "a narrower override holds", *lot),
        ("P003-BL-TREG", "P003", "BL", "TREG", "treg", treg, "dim", "tube", "applied", *tube),
        ("P003-BL-TREG", "P003", "BL", "TREG", "treg", cd4, "batch-2", "batch", "applied", *lot),
        ("P003-W12-TREG", "P003", "W12", "TREG", "treg", treg, "p003", "subject", "applied", *lot),
        ("P003-W24-TREG", "P003", "W24", "TREG", "treg", treg, "p003", "subject", "applied", *lot),
    ]
    columns = [
        "tube_id", "subject", "visit", "tube", "strategy", "population", "override", "level", "status", "author",
        "time", "reason",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _failures() -> pd.DataFrame:
    columns = ["severity", "step", "tube_id", "subject", "visit", "tube", "kind", "message", "remedy"]
    rows = [
        [
            "failure",
            "gate",
            "P009-W12-TREG",
            "P009",
            "W12",
            "TREG",
            "FcsError",
            "P009-W12-TREG: DATA ends at byte 1048576 but the file has 734003 bytes",
            "Export the file again from the cytometer",
        ],
        [
            "failure",
            "gate",
            "P011-W24-NK",
            "P011",
            "W24",
            "NK",
            "PanelError",
            "panel nk: marker CD56 matches no channel (did you mean 'CD 56'?)",
            "Add the alias to panel.csv",
        ],
    ]
    for subject, _ in SUBJECTS:
        rows.append(
            [
                "notice",
                "check",
                f"{subject}-BL-TBNK",
                subject,
                "BL",
                "TBNK",
                "repair",
                "$TOT is 0; the number of events follows from the length of DATA",
                "None needed",
            ]
        )
    return pd.DataFrame(rows, columns=columns)


def _model() -> pd.DataFrame:
    rows = []
    for name, ratio in {
        "Treg": 2.2,
        "Tconv": 1.02,
        "FOXP3+": 2.0,
        "memory": 1.7,
        "activated": 1.4,
        "CD39+": None,
    }.items():
        for visit in ("W12", "W24"):
            for contrast, arm in (
                ("change_from_baseline", "IL2"),
                ("change_from_baseline", "SOC"),
                ("arm_difference", "IL2 / SOC"),
            ):
                r = None if ratio is None else (1.0 if arm == "SOC" else ratio)
                rows.append(
                    {
                        "strategy": "treg",
                        "population": path("treg", name),
                        "definition": f"il2cyto.{name.lower()}.v1",
                        "arm": arm,
                        "visit": visit,
                        "contrast": contrast,
                        "n_subjects": 12,
                        "n_observations": 23,
                        "ratio_to_baseline": r,
                        "lower": None if r is None else r * 0.8,
                        "upper": None if r is None else r * 1.3,
                        "log_estimate": None,
                        "log_se": None,
                        "df": 10.0,
                        "p_value": None if r is None else (0.00002 if r > 1.5 else 0.43),
                        "method": "MMRM",
                        "status": "not_estimable" if r is None else "estimated",
                        "reason": "marker absent: CD39" if r is None else "",
                    }
                )
    return pd.DataFrame(rows)


def _link() -> pd.DataFrame:
    rows = [
        {
            "subject": s,
            "visit": v.id,
            "cells": True,
            "serum": s != "P002",
            "status": "matched" if s != "P002" else "only_counts",
        }
        for s, _ in SUBJECTS
        for v in VISITS
    ]
    return pd.DataFrame(rows)


def _serum(rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for analyte, middle, lloq in (("IL-6", 8.0, 2.4), ("IL-17A", 8.0, 18.9), ("sCD25", 2200.0, 50.0)):
        for subject, _ in SUBJECTS:
            for visit in VISITS:
                value = float(middle * np.exp(rng.normal(0, 0.7)))
                low = value < lloq
                rows.append(
                    [
                        subject,
                        visit.id,
                        analyte,
                        lloq if low else value,
                        -1 if low else 0,
                        "U/mL" if analyte == "sCD25" else "pg/mL",
                    ]
                )
    return pd.DataFrame(rows, columns=["subject", "visit", "analyte", "value", "censor", "unit"])
