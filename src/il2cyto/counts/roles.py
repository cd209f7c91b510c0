"""Which population of a tube plays which role in a check: by name where the study says so, else by definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from il2cyto.counts.tree import is_below, matches
from il2cyto.study.checks import Checks

#: One row of the counts table.
Row = Mapping[str, Any]


class NotEvaluableError(Exception):
    """A check cannot be made; the message is the reason."""


def find_role(rows: Sequence[Row], role: str, checks: Checks) -> Row:
    """Row of the population that plays a role in a tube.

    Names of ``checks.roles`` are tried in order; without them the population whose role or definition is this one.

    Raises
    ------
    NotEvaluableError
        If there is no such population, or several.
    """
    names = checks.roles.get(role)
    if names is None:
        found = [row for row in rows if row["role"] == role or checks.definitions.get(row["definition"]) == role]
        return _only(found, f"the role {role}")
    for name in names:
        exact = [row for row in rows if row["population"] == name]
        found = exact or [row for row in rows if matches(row["population"], name)]
        if found:
            return _only(found, f"the name {name} (role {role})")
    raise NotEvaluableError(f"no population is called {' or '.join(names)} (role {role})")


def role_of(path: str, definition: str, checks: Checks) -> str:
    """Role of a population by its path where ``checks.roles`` names it, else by its definition; empty without one.

    Examples
    --------
    >>> from il2cyto.study.checks import default_checks
    >>> role_of("live/X", "il2cyto.B.CD3negCD19pos.v1", default_checks())
    'B'
    """
    named = [role for role, names in checks.roles.items() if any(matches(path, name) for name in names)]
    if named:
        return named[0]
    role = checks.definitions.get(definition, "")
    return "" if role in checks.roles else role


def find_living(rows: Sequence[Row], checks: Checks) -> Row:
    """Row of the living lymphocytes: role ``live`` where it lies below the lymphocytes, else the lymphocytes.

    Raises
    ------
    NotEvaluableError
        If there are no lymphocytes, or several populations of this role.
    """
    lymphocytes = find_role(rows, "lymphocytes", checks)
    try:
        live = find_role(rows, "live", checks)
    except NotEvaluableError:
        return lymphocytes
    return live if is_below(live["population"], lymphocytes["population"]) else lymphocytes


def events(row: Row, column: str = "count") -> float:
    """Events of a row.

    Raises
    ------
    NotEvaluableError
        If the count is not estimable.
    """
    value = row[column]
    if value is None or value != value:
        raise NotEvaluableError(f"{row['name']} is not estimable: {row['reason']}")
    return float(value)


def per_ul(row: Row) -> float:
    """Cells/µL of a row.

    Raises
    ------
    NotEvaluableError
        If there are none.
    """
    value = float(row["cells_per_ul"])
    if np.isnan(value):
        raise NotEvaluableError(f"{row['name']} has no cells/µL: {row['reason']}")
    return value


def percent(part: Row, whole: Row) -> float:
    """Events of one row as a percentage of those of another.

    Raises
    ------
    NotEvaluableError
        If a count is not estimable or `whole` is empty.
    """
    above, below = events(part), events(whole)
    if not below > 0:
        raise NotEvaluableError(f"{whole['name']} is empty")
    return 100.0 * above / below


def _only(found: Sequence[Row], what: str) -> Row:
    if not found:
        raise NotEvaluableError(f"no population has {what}")
    if len(found) > 1:
        paths = ", ".join(row["population"] for row in found)
        raise NotEvaluableError(f"several populations have {what}: {paths}; name one in checks.roles of study.yaml")
    return found[0]
