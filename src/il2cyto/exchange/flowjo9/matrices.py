"""The matrix of a FlowJo 9 sample: by number, in the order of the workspace."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from lxml import etree

from il2cyto.compensation import SpilloverMatrix
from il2cyto.errors import Il2CytoError, StrategyError
from il2cyto.exchange.flowjo.matrices import Compensation
from il2cyto.exchange.xml import attribute, children
from il2cyto.gates.dimension import FROM_FILE

#: Ids by which FlowJo means the matrix in the FCS file, and none.
_IN_THE_FILE, _NONE = "-1", "-2"
#: Name under which tables for the matrix in the FCS file stand (CytoML).
ACQUISITION = "Acquisition-defined"


def read_compensation(
    sample: etree._Element, root: etree._Element, channel: Callable[[str], str], file: str
) -> tuple[Compensation | None, str]:
    """Return the compensation of a sample and the name by which tables are found; nothing where it has none.

    Parameters
    ----------
    sample
        The ``Sample`` element.
    root
        The workspace.
    channel
        Turns a name of FlowJo into the ``$PnN`` of the file.
    file
        Name of the workspace, for messages.

    Raises
    ------
    StrategyError
        If the sample refers to a matrix that the workspace lacks.
    """
    key = (attribute(sample, "compensationID") or "").strip()
    if key in ("", _NONE):
        return None, ""
    if key == _IN_THE_FILE:
        return Compensation(FROM_FILE, None, "<", ">"), ACQUISITION
    matrices = [
        element for part in children(root, "CompensationMatrices") for element in children(part, "CompensationMatrix")
    ]  # fmt: skip
    if not (key.isascii() and key.isdecimal() and len(key) < 10 and 1 <= int(key) <= len(matrices)):
        raise StrategyError(
            "{strategy_file}, line {line}: the sample refers to matrix {found!r}, the workspace has {n}",
            strategy_file=file, line=sample.sourceline, found=key, n=len(matrices),
        )  # fmt: skip
    element = matrices[int(key) - 1]
    name = (attribute(element, "name") or attribute(element, "matrixName") or "").strip()
    prefix, suffix = attribute(element, "prefix"), attribute(element, "suffix")
    around = ("<" if prefix is None else prefix, ">" if suffix is None else suffix)
    # the number keeps two of one name apart, and results carry reasons, but no names that people gave to matrices
    own = f"matrix {key}"
    try:
        return Compensation(own, _matrix(element, own, channel), *around), name
    except Il2CytoError as error:
        return Compensation(own, None, *around, str(error)), name


def _matrix(element: etree._Element, name: str, channel: Callable[[str], str]) -> SpilloverMatrix:
    """Rows are fluorochromes (``Channel``), columns detectors (``ChannelValue``)."""
    rows: dict[str, dict[str, float]] = {}
    for row in children(element, "Channel"):
        label = attribute(row, "name") or attribute(row, "fluorName") or ""
        rows[label] = {}
        for cell in children(row, "ChannelValue"):
            text = attribute(cell, "value") or attribute(cell, "spillValue") or ""
            try:
                value = float(text)
            except ValueError:
                raise StrategyError(f"{name}: {text!r} is no number") from None
            rows[label][attribute(cell, "name") or attribute(cell, "fluorName") or ""] = value
    if not rows:
        raise StrategyError(f"{name} is empty")
    columns = list(next(iter(rows.values())))
    if any(set(cells) != set(columns) for cells in rows.values()) or set(rows) != set(columns):
        raise StrategyError(f"{name}: its rows and columns have other names")
    values = np.array([[rows[row][column] for column in columns] for row in columns])
    if not np.all((np.diag(values) > 0.5) & (np.diag(values) < 2)):
        raise StrategyError(f"{name}: a diagonal far from 1 is not the spillover that other programs read")
    return SpilloverMatrix(name, tuple(channel(column) for column in columns), values)
