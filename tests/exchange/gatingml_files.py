"""Tiny Gating-ML files, written by hand, and tiny samples to gate with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from il2cyto.exchange import read_gating
from il2cyto.fcs import read_fcs, write_fcs
from il2cyto.gating import GatingResult

HEAD = (
    '<gating:Gating-ML xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes">'
)


def write(folder: Path, body: str, head: str = HEAD) -> Path:
    path = folder / "g.xml"
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>{head}{body}</gating:Gating-ML>', encoding="utf-8")
    return path


def gated(
    folder: Path,
    body: str,
    columns: dict[str, Sequence[float]],
    spillover: tuple[Sequence[str], np.ndarray] | None = None,
) -> GatingResult:
    """Gate a sample of these columns (float64, so that infinities and every digit survive) with a file of this body."""
    events = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns.values()])
    path = folder / "a.fcs"
    write_fcs(events, path, channels=list(columns), spillover=spillover)
    return read_gating(write(folder, body)).apply(read_fcs(path))


def members(result: GatingResult, name: str = "g") -> list[int]:
    """Numbers of the events inside a population."""
    return [int(i) for i in np.flatnonzero(result.membership(name))]


def transformation(name: str, kind: str, bounds: str = "", inside: str = "", **parameters: float) -> str:
    written = " ".join(f'transforms:{key}="{value}"' for key, value in parameters.items())
    return (
        f'<transforms:transformation transforms:id="{name}" {bounds}><transforms:{kind} {written}>{inside}'
        f"</transforms:{kind}></transforms:transformation>"
    )


def fcs(name: str) -> str:
    return f'<data-type:fcs-dimension data-type:name="{name}"/>'


def dimension(
    source: str, limits: str = "", compensation: str = "uncompensated", scale: str = "", tag: str = "dimension"
) -> str:
    """A dimension of a channel, or of a ratio where the name begins with ``ratio:``."""
    inner = fcs(source)
    if source.startswith("ratio:"):
        inner = f'<data-type:new-dimension data-type:transformation-ref="{source.removeprefix("ratio:")}"/>'
    reference = f'gating:transformation-ref="{scale}"' if scale else ""
    return f'<gating:{tag} gating:compensation-ref="{compensation}" {reference} {limits}>{inner}</gating:{tag}>'


def limits(low: str | float | None = None, high: str | float | None = None) -> str:
    written = [f'gating:{key}="{value}"' for key, value in (("min", low), ("max", high)) if value is not None]
    return " ".join(written)


def rectangle(*dimensions: str, name: str = "g", parent: str = "", more: str = "", inside: str = "") -> str:
    above = f'gating:parent_id="{parent}"' if parent else ""
    return (
        f'<gating:RectangleGate gating:id="{name}" {above} {more}>{inside}{"".join(dimensions)}</gating:RectangleGate>'
    )


def polygon(
    *vertices: tuple[float, float], scales: tuple[str, str] = ("", ""), name: str = "g", parent: str = ""
) -> str:
    above = f'gating:parent_id="{parent}"' if parent else ""
    points = "".join(
        f'<gating:vertex><gating:coordinate data-type:value="{x}"/><gating:coordinate data-type:value="{y}"/>'
        "</gating:vertex>"
        for x, y in vertices
    )
    dims = dimension("A", scale=scales[0]) + dimension("B", scale=scales[1])
    return f'<gating:PolygonGate gating:id="{name}" {above}>{dims}{points}</gating:PolygonGate>'


def ellipsoid(
    channels: Sequence[str],
    mean: Sequence[float],
    covariance: Sequence[Sequence[float]],
    distance: float,
    name: str = "g",
) -> str:
    dims = "".join(dimension(channel) for channel in channels)
    centre = "".join(f'<gating:coordinate data-type:value="{value}"/>' for value in mean)
    rows = "".join(
        "<gating:row>" + "".join(f'<gating:entry data-type:value="{value}"/>' for value in row) + "</gating:row>"
        for row in covariance
    )
    return (
        f'<gating:EllipsoidGate gating:id="{name}">{dims}<gating:mean>{centre}</gating:mean>'
        f"<gating:covarianceMatrix>{rows}</gating:covarianceMatrix>"
        f'<gating:distanceSquare data-type:value="{distance}"/></gating:EllipsoidGate>'
    )


def boolean(operation: str, *operands: str, name: str = "g", parent: str = "", inside: str = "") -> str:
    """A combination; an operand that begins with ``!`` is taken as its complement."""
    above = f'gating:parent_id="{parent}"' if parent else ""
    references = "".join(
        f'<gating:gateReference gating:ref="{operand.removeprefix("!")}"'
        f"{' gating:use-as-complement=' + chr(34) + 'true' + chr(34) if operand.startswith('!') else ''}/>"
        for operand in operands
    )
    return (
        f'<gating:BooleanGate gating:id="{name}" {above}>{inside}<gating:{operation}>{references}'
        f"</gating:{operation}></gating:BooleanGate>"
    )


def divider(name: str, channel: str, *values: float, scale: str = "", compensation: str = "uncompensated") -> str:
    cells = "".join(f"<gating:value>{value}</gating:value>" for value in values)
    whole = dimension(channel, f'gating:id="{name}"', compensation, scale, tag="divider")
    return whole.replace("</gating:divider>", f"{cells}</gating:divider>")


def quadrant(name: str, **locations: float) -> str:
    positions = "".join(
        f'<gating:position gating:divider_ref="{key}" gating:location="{value}"/>' for key, value in locations.items()
    )
    return f'<gating:Quadrant gating:id="{name}">{positions}</gating:Quadrant>'


def quadrants(*parts: str, name: str = "q", parent: str = "", inside: str = "") -> str:
    above = f'gating:parent_id="{parent}"' if parent else ""
    return f'<gating:QuadrantGate gating:id="{name}" {above}>{inside}{"".join(parts)}</gating:QuadrantGate>'


def matrix(
    fluorochromes: Sequence[str],
    detectors: Sequence[str],
    rows: Sequence[Sequence[float]],
    more: str = "",
    name: str = "M",
) -> str:
    spectra = "".join(
        "<transforms:spectrum>"
        + "".join(f'<transforms:coefficient transforms:value="{float(value)!r}"/>' for value in row)
        + "</transforms:spectrum>"
        for row in rows
    )
    return (
        f'<transforms:spectrumMatrix transforms:id="{name}" {more}><transforms:fluorochromes>'
        f"{''.join(map(fcs, fluorochromes))}</transforms:fluorochromes><transforms:detectors>"
        f"{''.join(map(fcs, detectors))}</transforms:detectors>{spectra}</transforms:spectrumMatrix>"
    )
