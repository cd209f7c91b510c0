"""The tube types of ``study.yaml``: strategy, panel and the route to cells/µL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from il2cyto.keys import ROUTES
from il2cyto.study.fields import FieldReader
from il2cyto.study.findings import hint, one_of
from il2cyto.study.model import CountSpec, StrategyRef, TubeType
from il2cyto.study.paths import Roots, panel_file, strategy_reference
from il2cyto.study.positions import Mapping, Node

T = TypeVar("T")

TUBE = (("strategy", "count"), ("panel", "repeat"))
#: Rules for several tubes of one subject, visit and tube type, as they may be written.
REPEATS = ("sum", "apart:first", "apart:latest", "first", "latest")
COUNT = (("route",), ("beads", "bead_doublets", "population", "from", "denominator", "purity"))

#: Keys of `count` that each route needs; the others may be there for rows of the sheet that override the route.
ROUTE_KEYS = {
    "beads": ("beads",),
    "volumetric": (),
    "dual": ("denominator",),
    "chained": ("population", "from"),
    "none": (),
}


def read_tubes(reader: FieldReader, node: Node, roots: Roots) -> dict[str, TubeType]:
    """Check the section ``tubes``; a tube with a fault keeps its id, so that the sheet can still be checked."""
    tubes: dict[str, TubeType] = {}
    counts: dict[str, Node] = {}
    entries = reader.identified(node, "tubes", "tube type")
    ids = frozenset(entries)
    for key, entry in entries.items():
        where = f"tubes.{key}"
        given = reader.section(entry, where, *TUBE)
        strategy = panel = None
        if "strategy" in given:
            strategy = _resolved(reader, given["strategy"], f"{where}.strategy", roots, strategy_reference)
        if "panel" in given:
            panel = _resolved(reader, given["panel"], f"{where}.panel", roots, panel_file)
        count = CountSpec("")
        if "count" in given:
            counts[key] = given["count"]
            count = _count(reader, given["count"], f"{where}.count", ids)
        repeat = reader.choice(given["repeat"], f"{where}.repeat", REPEATS) if "repeat" in given else None
        tubes[key] = TubeType(key, strategy or StrategyRef("study", Path(), ""), panel, count, repeat_rule(repeat))
    for key, entry in counts.items():
        _check_source(reader, entry, key, tubes)
    return tubes


def repeat_rule(text: str | None) -> str | None:
    """Return the rule for repeats by its one name.

    Examples
    --------
    >>> repeat_rule("latest"), repeat_rule("sum"), repeat_rule(None)
    ('apart:latest', 'sum', None)
    """
    return f"apart:{text}" if text in ("first", "latest") else text


def missing_keys(count: CountSpec) -> tuple[str, ...]:
    """Return the keys of ``count`` that its route needs and that are not given.

    Examples
    --------
    >>> missing_keys(CountSpec("chained", population="CD4"))
    ('from',)
    """
    given = {"beads": count.beads, "denominator": count.denominator, "population": count.population}
    given["from"] = count.source_tube
    return tuple(key for key in ROUTE_KEYS.get(count.route, ()) if given[key] is None)


def _resolved(
    reader: FieldReader, node: Node, where: str, roots: Roots, resolve: Callable[[str, Roots], T]
) -> T | None:
    text = reader.text(node, where)
    if text is None:
        return None
    try:
        return resolve(text, roots)
    except ValueError as error:
        reader.problem(node, where, str(error))
        return None


def _count(reader: FieldReader, node: Node, where: str, ids: frozenset[str]) -> CountSpec:
    given = reader.section(node, where, *COUNT)
    route = reader.choice(given["route"], f"{where}.route", ROUTES) if "route" in given else None
    texts = {key: reader.text(given[key], f"{where}.{key}") if key in given else None for key in COUNT[1]}
    tube = population = None
    if texts["from"] is not None:
        tube, _, population = texts["from"].partition("/")
        if not tube or not population:
            reader.problem(given["from"], f"{where}.from", "write TUBE/POPULATION, for example TBNK/CD4")
            tube = population = None
    for key in ROUTE_KEYS.get(route or "", ()):
        if key not in given:
            reader.problem(node, f"{where}.{key}", f"route {route!r} needs this key")
    purity = texts["purity"]
    # a path of this tube or TUBE/POPULATION: the ids of tube types are known, so there is nothing to guess
    purity_tube, _, inside = (purity or "").partition("/")
    elsewhere = bool(inside) and purity_tube in ids
    if purity is not None and texts["denominator"] is None:
        reader.problem(given["purity"], f"{where}.purity", "a purity corrects the denominator; name it too")
    if texts["bead_doublets"] is not None and texts["beads"] is None:
        reader.problem(
            given["bead_doublets"], f"{where}.bead_doublets", "doublets are a part of the beads; name these too"
        )
    return CountSpec(
        route or "",
        texts["beads"],
        texts["population"],
        tube,
        population,
        texts["denominator"],
        inside if elsewhere else purity,
        purity_tube if elsewhere else None,
        texts["bead_doublets"],
    )


def _check_source(reader: FieldReader, node: Node, key: str, tubes: dict[str, TubeType]) -> None:
    """Report a ``from`` that names no tube type, or one that has no cells/µL of its own."""
    source = tubes[key].count.source_tube
    if source is None:
        return
    where = f"tubes.{key}.count.from"
    entry = node.entries["from"] if isinstance(node, Mapping) else node
    if source in tubes and not tubes[source].count.route:
        return  # its own route is wrong and has been reported
    countable = [tube.id for tube in tubes.values() if tube.count.route not in ("", "none") and tube.id != key]
    if source not in tubes:
        reader.problem(entry, where, f"no tube type is called {source!r}{hint(source, tuple(tubes))}")
    elif source not in countable:
        remedy = f"; name one of: {one_of(countable)}" if countable else "; give one tube type such a route"
        reader.problem(entry, where, f"tube type {source!r} has no cells/µL of its own{remedy}")
    elif circle := _circle(key, tubes):
        reader.problem(entry, where, f"the chain runs in a circle ({' from '.join(circle)}); begin it with beads")


def _circle(key: str, tubes: dict[str, TubeType]) -> tuple[str, ...]:
    """Follow the chain of a tube type to where it comes back to it; empty where it does not."""
    passed = [key]
    while True:
        tube = tubes.get(passed[-1])
        source = tube.count.source_tube if tube is not None and tube.count.route == "chained" else None
        if source is None or source in passed[1:]:
            return ()
        passed.append(source)
        if source == key:
            return tuple(passed)
