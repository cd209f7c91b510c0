"""Scores out of their items, bands, and items against laboratory values."""

from __future__ import annotations

import pandas as pd
import pytest
from outcome_trial import LABS, SCORES, Trial, told, values

from il2cyto.derive.scores import ESSDAI, SLEDAI

#: Weights as the form has them, written down again.
EIGHT = ("seizure", "psychosis", "organic_brain_syndrome", "visual_disturbance", "cranial_nerve_disorder",
         "lupus_headache", "cerebrovascular_accident", "vasculitis")  # fmt: skip
FOUR = ("arthritis", "myositis", "urinary_casts", "haematuria", "proteinuria", "pyuria")
TWO = ("rash", "alopecia", "mucosal_ulcers", "pleurisy", "pericarditis", "low_complement", "increased_dna_binding")
ONE = ("fever", "thrombocytopenia", "leukopenia")
SLE = "  SCORE: {kind: score, score: SELENA-SLEDAI, diagnoses: [SLE], visit: M1}\n"


def form(subject, visit, score, known, marked, *, without=()):
    levels = dict.fromkeys(known, 0) | dict(marked)
    return "".join(
        f"{subject},{visit},,{score},{item},{level}\n" for item, level in levels.items() if item not in without
    )


def sledai(subject, visit, *present, without=()):
    return form(
        subject, visit, "SELENA-SLEDAI", (*EIGHT, *FOUR, *TWO, *ONE), dict.fromkeys(present, 1), without=without
    )


def test_the_items_are_those_of_the_form():
    assert set(SLEDAI) == {*EIGHT, *FOUR, *TWO, *ONE}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    rows = (
        sledai("A", "BL", *EIGHT, *FOUR, *TWO, *ONE)
        + sledai("A", "M1", "arthritis", "rash", "fever")
        + sledai("B", "BL")
        + sledai("B", "M1", "haematuria", "proteinuria", "alopecia", without=("psychosis",))
        + sledai("B", "M3", "vasculitis", "alopecia")
        + sledai("C", "BL", "arthritis", "myositis", "rash", "leukopenia")
    )
    trial = Trial(tmp_path_factory.mktemp("sledai"), SLE, scores=SCORES + rows)
    for name in "AB":
        trial.subject(name, "IL2")
    # not of the diagnosis that the score is for
    trial.subject("C", "STD", diagnosis="pSS").subject("D", "STD")
    return trial.make()


def test_totals_and_bands(outcomes):
    result = outcomes.results[0]
    # 64 + 24 + 14 + 3; 4 + 2 + 1; 8 + 2; the form of B at month 1 lacks an item
    assert values(result, "TOTAL") == {"A BL": 105, "A M1": 7, "B BL": 0, "B M3": 10}
    assert values(result, "TOTAL", "class") == {"A BL": "very high", "A M1": "moderate", "B BL": "none",
                                               "B M3": "moderate"}  # fmt: skip
    assert "incomplete forms have no total: B M1" in result.measures[0].notes
    assert told(result, "TOTAL", "shift", "IL2", "M3", "none > moderate")["n"] == 1
    assert told(result, "TOTAL", "share", "STD", "BL", "none")["status"] == "not_estimable"


@pytest.mark.parametrize(
    ("present", "total", "band"),
    [((), 0, "none"), (("fever",), 1, "mild"), (("arthritis", "fever"), 5, "mild"),
     (("arthritis", "rash"), 6, "moderate"), (("vasculitis", "rash"), 10, "moderate"),
     (("vasculitis", "rash", "fever"), 11, "high"), (("vasculitis", "seizure", "rash", "fever"), 19, "high"),
     (("vasculitis", "seizure", "arthritis"), 20, "very high")],
)  # fmt: skip
def test_bounds_of_the_bands(tmp_path, present, total, band):
    trial = Trial(tmp_path, SLE, scores=SCORES + sledai("A", "BL", *present)).subject("A", "IL2")
    result = trial.make().results[0]
    assert (values(result, "TOTAL"), values(result, "TOTAL", "class")) == ({"A BL": total}, {"A BL": band})


def test_essdai(tmp_path):
    # 3 × 2 + 2 × 1 + 5 × 3 + 1 × 2 = 25; 4 × 1 + 1 × 0 = 4; a domain is missing
    rows = (
        form("A", "BL", "ESSDAI", ESSDAI, {"constitutional": 2, "glandular": 1, "renal": 3, "biological": 2})
        + form("A", "M1", "ESSDAI", ESSDAI, {"lymphadenopathy": 1})
        + form("A", "M3", "ESSDAI", ESSDAI, {}, without=("renal",))
    )
    trial = Trial(tmp_path, "  S: {kind: score, score: ESSDAI, visit: M1}\n", scores=SCORES + rows).subject("A", "IL2")
    result = trial.make().results[0]
    assert values(result, "TOTAL") == {"A BL": 25, "A M1": 4}
    assert values(result, "TOTAL", "class") == {"A BL": "high", "A M1": "low"}
    assert "incomplete forms have no total: A M3" in result.measures[0].notes


def test_another_score_is_the_sum_of_a_form_like_most(tmp_path):
    whole = {"joints": 3, "physician": 4.5, "parent": 2, "esr": 1}
    rows = (
        form("A", "BL", "JADAS-10", whole, whole)
        + form("A", "M1", "JADAS-10", whole, whole | {"joints": 1})
        + form("A", "M3", "JADAS-10", whole, whole, without=("esr",))
    )
    trial = Trial(tmp_path, "  S: {kind: score, score: JADAS-10, visit: M1}\n", scores=SCORES + rows)
    result = trial.subject("A", "IL2", diagnosis="JIA").make().results[0]
    assert values(result, "TOTAL") == {"A BL": 10.5, "A M1": 8.5}
    assert "incomplete forms have no total: A M3" in result.measures[0].notes
    assert not (result.table["analysis"] == "shift").any()


def test_discordances_are_listed_and_nothing_is_corrected(tmp_path):
    rows = sledai("A", "BL", "low_complement", "leukopenia") + sledai("A", "M1", "thrombocytopenia")
    rows += sledai("B", "BL", "increased_dna_binding")
    labs = (
        # low C4 alone makes low complement; WBC 3.0 is not below 3
        "A,BL,,C3,1.0,g/L,0.8,1.6\nA,BL,,C4,0.05,g/L,0.1,0.4\nA,BL,,WBC,3.0,10^9/L,4,11\nA,BL,,ADSDNA,80,IU/mL,,30\n"
        "A,M1,,C3,<0.8,g/L,0.8,1.6\nA,M1,,PLAT,99,10^9/L,100,400\nA,M1,,WBC,2.9,10^9/L,4,11\n"
        # a range that is not known, limits that leave it open
        "B,BL,,C3,0.1,g/L,,\nB,BL,,ADSDNA,<50,IU/mL,,30\nB,BL,,PLAT,<120,10^9/L,,\n"
    )
    trial = Trial(tmp_path, SLE, scores=SCORES + rows, labs=LABS + labs).subject("A", "IL2").subject("B", "STD")
    made = trial.make()
    found = [tuple(row) for row in made.queries[["subject", "visit", "item", "marked"]].itertuples(index=False)]
    assert found == [
        ("A", "BL", "increased_dna_binding", 0), ("A", "BL", "leukopenia", 1), ("A", "M1", "leukopenia", 0),
        ("A", "M1", "low_complement", 0),
    ]  # fmt: skip
    assert made.queries["laboratory"].tolist()[0] == "ADSDNA 80 IU/mL (-30)"
    # the totals are those of the form: 2 + 1, 1, 2
    assert values(made.results[0], "TOTAL") == {"A BL": 3, "A M1": 1, "B BL": 2}


def test_a_count_in_another_unit_is_not_guessed(tmp_path):
    labs = LABS + "A,BL,,WBC,2000,cells/uL,4000,11000\n"
    trial = Trial(tmp_path, SLE, scores=SCORES + sledai("A", "BL"), labs=labs).subject("A", "IL2")
    assert len(trial.make().queries) == 0


def test_the_slips_of_the_simulation_are_found_and_nothing_else(simulated):
    planted = simulated.clinical.discordances
    judged = ("low_complement", "increased_dna_binding", "thrombocytopenia", "leukopenia")
    planted = planted[planted["item"].isin(judged)]
    assert set(planted["item"]) >= {"low_complement", "increased_dna_binding"}
    names = ["subject", "visit", "item", "marked"]
    wanted = planted[names].sort_values(names).reset_index(drop=True).astype({"marked": "int64"})
    found = simulated.outcomes.queries[names].sort_values(names).reset_index(drop=True)
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)


def test_totals_of_the_simulation(simulated):
    truth = simulated.clinical.disease.set_index(["subject", "visit"])
    for key, column in (("SLEDAI", "sledai"), ("ESSDAI", "essdai")):
        result = next(one for one in simulated.outcomes.results if one.outcome.id == key)
        found = result.subjects.set_index(["subject", "visit"])["value"]
        expected = truth[column].dropna()
        # a visit that a control had after changing is not among them
        assert len(found) == len(expected)
        assert (found == expected.reindex(found.index)).all()
