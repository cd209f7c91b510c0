"""Outcomes of a trial: doses of drugs, laboratory values, scores, adverse events, changed subjects; by arm and visit.

Each is derived from the sheets of a study as its ``outcomes`` say, compared between arms, and told in one tidy table
and one that is typeset.
"""

from il2cyto.outcomes.make import OutcomeResult, Outcomes, make_outcomes

__all__ = ["OutcomeResult", "Outcomes", "make_outcomes"]
