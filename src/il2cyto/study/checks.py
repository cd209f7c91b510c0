"""Limits of the checks of counts, and which populations they look at: defaults as data, changed in ``checks:``."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

from il2cyto.study.fields import NUMBER, FieldReader
from il2cyto.study.findings import one_of
from il2cyto.study.frozen import FrozenMapping
from il2cyto.study.positions import Mapping, Node, Scalar, Sequence

#: What populations can be to a check; `bead_doublets` and `purity` are named in ``count:`` of their tube type.
ROLES = ("lymphocytes", "live", "CD3", "CD4", "CD8", "B", "NK", "Treg", "pure_lymphocytes")
#: Chains of roles of which each must be held by the next.
ORDER = (("Treg", "CD4", "CD3", "lymphocytes"), ("CD8", "CD3"), ("B", "lymphocytes"), ("NK", "lymphocytes"))
OFF = "off"


@dataclass(frozen=True)
class Band:
    """Limits of one check: outside ``warn`` is a warning, outside ``fail`` a failure; ``None`` is no limit."""

    fail_below: float | None = None
    warn_below: float | None = None
    warn_above: float | None = None
    fail_above: float | None = None

    @property
    def empty(self) -> bool:
        """Whether there is no limit at all."""
        return self == Band()

    def verdict(self, value: float) -> str:
        """Return ``pass``, ``warn`` or ``fail``; a value on a limit is inside.

        Examples
        --------
        >>> band = Band(90, 95, 105, 110)
        >>> band.verdict(95), band.verdict(94.9), band.verdict(110.1)
        ('pass', 'warn', 'fail')
        """
        for low, high, verdict in (
            (self.fail_below, self.fail_above, "fail"),
            (self.warn_below, self.warn_above, "warn"),
        ):
            if (low is not None and value < low) or (high is not None and value > high):
                return verdict
        return "pass"

    def text(self) -> str:
        """The limits as tables write them.

        Examples
        --------
        >>> Band(90, 95, 105, 110).text(), Band(warn_below=2500).text(), Band(warn_above=24, fail_above=48).text()
        ('95 to 105 (hard 90 to 110)', 'at least 2500', 'at most 24 (hard at most 48)')
        """
        soft, hard = _range(self.warn_below, self.warn_above), _range(self.fail_below, self.fail_above)
        if not soft or not hard or soft == hard:
            return soft or hard
        return f"{soft} (hard {hard})"


@dataclass(frozen=True)
class CheckRule:
    """One check: its unit, its limits, other limits for some tube types, and what it looks at."""

    id: str
    unit: str
    band: Band
    about: str
    tubes: FrozenMapping[str, Band] = field(default_factory=lambda: FrozenMapping({}))

    def for_tube(self, tube: str) -> Band:
        """Limits for a tube type."""
        return self.tubes.get(tube, self.band)


@dataclass(frozen=True)
class Checks:
    """Every check of a study.

    Attributes
    ----------
    rules
        By id, those that are not turned off.
    roles
        Names or paths of populations by role, as ``checks.roles`` gives them.
    definitions
        Roles by definition id, for roles that `roles` leaves out.
    order
        Chains of roles of which each must be held by the next, in cells/µL.
    """

    rules: FrozenMapping[str, CheckRule]
    roles: FrozenMapping[str, tuple[str, ...]]
    definitions: FrozenMapping[str, str]
    order: tuple[tuple[str, ...], ...]


@cache
def default_checks() -> Checks:
    """Return the checks of a study that says nothing about them.

    Examples
    --------
    >>> default_checks().rules["lymphosum"].band.text()
    '95 to 105 (hard 90 to 110)'
    """
    rules = default_rules("checks.csv")
    definitions = {row["definition"]: row["role"] for row in _rows("roles.csv")}
    return Checks(FrozenMapping(rules), FrozenMapping({}), FrozenMapping(definitions), ORDER)


def default_rules(name: str) -> dict[str, CheckRule]:
    """Return the rules of a table of defaults by id."""
    rules = {}
    for row in _rows(name):
        band = Band(*(_number(row[key]) for key in ("fail_below", "warn_below", "warn_above", "fail_above")))
        rules[row["check"]] = CheckRule(row["check"], row["unit"], band, row["about"])
    return rules


def read_checks(reader: FieldReader, node: Node | None, tubes: tuple[str, ...]) -> Checks:
    """Read the section ``checks``; what it leaves out keeps its default.

    Parameters
    ----------
    reader
        Receives every problem.
    node
        The section, or ``None`` where there is none.
    tubes
        Tube types of the study, for limits of one of them.
    """
    checks = default_checks()
    if node is None:
        return checks
    given = reader.section(node, "checks", (), ("roles", "order", *checks.rules))
    rules = dict(checks.rules)
    for key, entry in given.items():
        if key not in rules:
            continue
        if isinstance(entry, Scalar) and entry.text == OFF:
            del rules[key]
        else:
            rules[key] = read_rule(reader, entry, f"checks.{key}", rules[key], tubes)
    roles = _roles(reader, given["roles"]) if "roles" in given else {}
    order = _order(reader, given["order"]) if "order" in given else checks.order
    return replace(checks, rules=FrozenMapping(rules), roles=FrozenMapping(roles), order=order)


def read_rule(
    reader: FieldReader, node: Node, where: str, default: CheckRule, tubes: tuple[str, ...], soft: str = "warn"
) -> CheckRule:
    """Read the limits of one check.

    Parameters
    ----------
    reader
        Receives every problem.
    node
        A mapping with `soft`, ``fail`` and ``tubes``.
    where
        Its place in the file.
    default
        What it leaves out.
    tubes
        Tube types of the study.
    soft
        What the inner limits are called.
    """
    if isinstance(node, Scalar):
        reader.problem(node, where, f"give limits, for example {{{soft}: [95, 105], fail: [90, 110]}}, or write off")
        return default
    given = reader.section(node, where, (), (soft, "fail", "tubes"))
    band = _band(reader, given, where, default.band, node, soft)
    others: dict[str, Band] = {}
    entries = given.get("tubes")
    if isinstance(entries, Mapping):
        for tube, entry in reader.section(entries, f"{where}.tubes", (), tubes).items():
            inside = f"{where}.tubes.{tube}"
            limits = reader.section(entry, inside, (), (soft, "fail"))
            others[tube] = _band(reader, limits, inside, band, entry, soft)
    elif entries is not None:
        reader.problem(entries, f"{where}.tubes", f"give a mapping from tube types to their own {soft} and fail")
    return replace(default, band=band, tubes=FrozenMapping(others))


def _band(reader: FieldReader, given: MappingOf[str, Node], where: str, default: Band, node: Node, soft: str) -> Band:
    values = {}
    for key, name in ((soft, "warn"), ("fail", "fail")):
        if key in given:
            values[f"{name}_below"], values[f"{name}_above"] = _limits(reader, given[key], f"{where}.{key}")
    band = replace(default, **values)
    for low, high in ((band.fail_below, band.warn_below), (band.warn_below, band.warn_above),
                      (band.warn_above, band.fail_above)):  # fmt: skip
        if low is not None and high is not None and low > high:
            inner = "warning" if soft == "warn" else soft
            message = f"the limits {band.text()} are not in order; the {inner} lies inside the failure"
            reader.problem(node, where, message)
            return default
    return band


def _limits(reader: FieldReader, node: Node, where: str) -> tuple[float | None, float | None]:
    if isinstance(node, Sequence) and len(node.items) == 2:
        numbers: list[float | None] = []
        for item in node.items:
            if isinstance(item, Scalar) and item.null:
                numbers.append(None)
            elif isinstance(item, Scalar) and NUMBER.fullmatch(item.text) and math.isfinite(number := float(item.text)):
                numbers.append(number)
        if len(numbers) == 2:
            return numbers[0], numbers[1]
    reader.problem(node, where, "give the lowest and the highest value, null for none, for example [95, null]")
    return None, None


def _roles(reader: FieldReader, node: Node) -> dict[str, tuple[str, ...]]:
    roles: dict[str, tuple[str, ...]] = {}
    for role, entry in reader.section(node, "checks.roles", (), ROLES).items():
        where = f"checks.roles.{role}"
        if isinstance(entry, Sequence):
            roles[role] = reader.items(entry, where, reader.text)
        else:
            name = reader.text(entry, where)
            roles[role] = (name,) if name is not None else ()
    return roles


def _order(reader: FieldReader, node: Node) -> tuple[tuple[str, ...], ...]:
    if not isinstance(node, Sequence) or not all(isinstance(chain, Sequence) for chain in node.items):
        message = (
            f"give a list of lists of roles, the smallest first, for example [[Treg, CD4]]; known: {one_of(ROLES)}"
        )
        reader.problem(node, "checks.order", message)
        return ORDER
    chains = []
    for number, chain in enumerate(node.items, start=1):
        where = f"checks.order.{number}"
        roles = reader.items(chain, where, lambda item, path: reader.choice(item, path, ROLES))
        if len(roles) < 2:
            reader.problem(chain, where, "an order needs two roles or more")
        chains.append(roles)
    return tuple(chains)


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("il2cyto.study") / "defaults" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _number(text: str) -> float | None:
    return float(text) if text else None


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
