"""The spillover matrix of a FlowJo sample: its own, or one of the workspace's by id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from lxml import etree

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import Il2CytoError, StrategyError, did_you_mean
from il2cyto.exchange.xml import attribute, children
from il2cyto.gates.dimension import FROM_FILE, UNCOMPENSATED

#: Ids by which FlowJo means the matrix in the FCS file, and none.
_IN_THE_FILE, _NONE = "-1", "-2"


@dataclass(frozen=True)
class Compensation:
    """How gates name compensated parameters, and what they mean by it.

    Attributes
    ----------
    id
        Reference for dimensions: the id of `matrix`, or ``FCS``.
    prefix, suffix
        What FlowJo puts around the name of a compensated parameter.
    problem
        Why the matrix cannot be used; empty where it can.
    """

    id: str
    matrix: SpilloverMatrix | None
    prefix: str = "Comp-"
    suffix: str = ""
    problem: str = ""


def shared_matrices(root: etree._Element) -> dict[str, etree._Element]:
    """Return the matrices of the whole workspace, by id."""
    found = {}
    for part in children(root, "Matrices"):
        for element in children(part, "spilloverMatrix"):
            key = attribute(element, "id") or attribute(element, "name")
            if key:
                found[key] = element
    return found


def read_compensation(
    sample: etree._Element, shared: Mapping[str, etree._Element], channel: Callable[[str], str], file: str
) -> Compensation | None:
    """Return the compensation of a sample, or ``None`` where it has none.

    Parameters
    ----------
    sample
        The ``Sample`` element.
    shared
        Matrices of the workspace.
    channel
        Turns a name of FlowJo into the ``$PnN`` of the file.
    file
        Name of the workspace, for messages.

    Raises
    ------
    StrategyError
        If the sample has two matrices, or refers to one that the workspace lacks.
    """
    own = list(children(sample, "spilloverMatrix"))
    if len(own) > 1:
        raise StrategyError(
            "{strategy_file}, line {line}: the sample has {n} matrices; which one FlowJo uses cannot be told",
            strategy_file=file, line=own[1].sourceline, n=len(own),
        )  # fmt: skip
    if not own:
        return None
    element = own[0]
    prefix, suffix = attribute(element, "prefix"), attribute(element, "suffix")
    if not any(True for _ in children(element, "spillover")):
        key = attribute(element, "id") or attribute(element, "name") or ""
        if key == _IN_THE_FILE:
            return Compensation(FROM_FILE, None, prefix or "Comp-", suffix or "")
        if key == _NONE:
            return None
        if key not in shared:
            raise StrategyError(
                "{strategy_file}, line {line}: the sample refers to matrix {found!r}, which the workspace lacks{close}",
                strategy_file=file, line=element.sourceline, found=key, close=did_you_mean(key, list(shared)),
            )  # fmt: skip
        return make_compensation(shared[key], channel, prefix, suffix)
    return make_compensation(element, channel, prefix, suffix)


def make_compensation(
    element: etree._Element, channel: Callable[[str], str], prefix: str | None = None, suffix: str | None = None
) -> Compensation:
    """Return what a ``spilloverMatrix`` element says; a matrix that cannot be used is kept with the reason."""
    name = (attribute(element, "name") or attribute(element, "id") or "matrix").strip()
    if name in (FROM_FILE, UNCOMPENSATED, ""):
        name = f"matrix {name}".strip()
    prefix = attribute(element, "prefix") if prefix is None else prefix
    suffix = attribute(element, "suffix") if suffix is None else suffix
    around = ("Comp-" if prefix is None else prefix, suffix or "")
    algorithm = attribute(element, "weightOptAlgorithmType") or "OLS"
    if attribute(element, "spectral") == "1" and algorithm != "OLS":
        return Compensation(name, None, *around, f"unmixing by {algorithm} is not public, only OLS can be repeated")
    try:
        return Compensation(name, _matrix(element, name, channel), *around)
    except Il2CytoError as error:
        return Compensation(name, None, *around, str(error))


def _matrix(element: etree._Element, name: str, channel: Callable[[str], str]) -> SpilloverMatrix:
    rows: dict[str, dict[str, float]] = {}
    for spillover in children(element, "spillover"):
        row = attribute(spillover, "parameter") or ""
        rows[row] = {}
        for coefficient in children(spillover, "coefficient"):
            text = attribute(coefficient, "value") or ""
            try:
                rows[row][attribute(coefficient, "parameter") or ""] = float(text)
            except ValueError:
                raise StrategyError(f"matrix {name!r}: {text!r} is no number") from None
    columns = list(next(iter(rows.values())))
    for row, cells in rows.items():
        if set(cells) != set(columns):
            raise StrategyError(f"matrix {name!r}: row {row!r} does not have the columns of the first row")
    # the rows of a square matrix may come in another order than its columns
    order = columns if set(rows) == set(columns) else list(rows)
    values = np.array([[rows[row][column] for column in columns] for row in order])
    detectors = tuple(channel(column) for column in columns)
    return SpilloverMatrix(name, detectors, values, () if order is columns else tuple(order))
