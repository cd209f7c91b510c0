# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A first look
#
# From one tube to the counts of a whole trial, on the simulated trial of `python3 start.py demo`. Start it in the
# folder that holds `il2cyto-demo` and `gating`, or change the two paths below. No patient is behind any number.

# %%
# %matplotlib inline
import json
from pathlib import Path

import pandas as pd

import il2cyto as ic

demo = Path("il2cyto-demo")
gating = Path("gating")

# %% [markdown]
# ## One tube
# A sample is what the file holds and nothing else: channels, events on their linear scale, and every deviation from the
# standard that was read over.

# %%
sample = ic.read_fcs(demo / "fcs" / "P001-BL-TREG.fcs", panel=gating / "treg" / "panel.csv")
print(f"{sample.n_events:,} events, {sample.n_channels} channels, {len(sample.repairs)} repairs")
pd.DataFrame({"channel": sample.names, "label": [channel.pns for channel in sample.channels]})

# %% [markdown]
# ## Its gates
# A strategy is a tree of populations, kept as text in `gating/`. Applied to a sample it gives the membership of every
# event and a table of counts.

# %%
strategy = ic.read_gating(gating / "treg")
result = strategy.apply(sample)
result.counts[["name", "parent", "count", "percent_parent", "status"]]

# %%
inside = result.membership("Treg")
cd25 = sample.index("CD25")
print(f"{inside.sum():,} Treg, median CD25 before compensation {pd.Series(sample.events[inside, cd25]).median():,.0f}")

# %% [markdown]
# The run has left the pictures of every tube in `results/tubes/<tube_id>/plots.json`.

# %%
ic.pl.gates(json.loads((demo / "results" / "tubes" / "P001-BL-TREG" / "plots.json").read_text(encoding="utf-8")))

# %% [markdown]
# ## The trial
# `gate_study` gates every tube and returns one AnnData: a row per subject and visit, a column per population, cells/µL
# in `X`. `DSLD` are the days since the last dose.

# %%
study = ic.read_study(demo / "study.yaml")
visits = ic.gate_study(study)
visits

# %%
treg = visits[:, visits.var["name"] == "Treg"]
table = treg.obs[["USUBJID", "ARM", "AVISIT", "ADY", "DSLD"]].copy()
table["cells_per_ul"] = treg.to_df().squeeze("columns")
table["lower"] = treg.to_df(layer="lower").squeeze("columns")
table["upper"] = treg.to_df(layer="upper").squeeze("columns")
table.round(1)

# %% [markdown]
# A visit without a tube is listed and never filled.

# %%
study.missing_visits()

# %% [markdown]
# ## Courses, change from baseline, serum
# The tables of the run hold the same numbers in long form.

# %%
counts = pd.read_csv(demo / "results" / "counts.csv")
ic.pl.trajectories(counts, "Treg")

# %%
model = pd.read_csv(demo / "results" / "model.csv")
ic.pl.forest(model[model["population"].str.endswith("/Treg")], contrast="change_from_baseline").figure

# %%
linked = ic.link(visits, ic.read_serum(study.serum))
linked.report["status"].value_counts()

# %%
linked.mdata
