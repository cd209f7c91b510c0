"""Workspaces of FlowJo 9 written by hand, in the structure that CytoML and LabKey read."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from il2cyto.fcs import write_fcs

Points = Sequence[tuple[float, float]]

CHANNELS = ["FSC-A", "SSC-A", "FITC-A", "PE-A", "Time"]
MATRIX = {"FITC-A": {"FITC-A": 1.0, "PE-A": 0.2}, "PE-A": {"FITC-A": 0.05, "PE-A": 1.0}}


@functools.cache
def biex_values(width: float = -10.0, positive: float = 4.5, top: float = 262144.0) -> tuple[float, ...]:
    """Values at the 4,097 channels of a biex table with no extra negative decades.

    After the routine of FlowJo that cytolib translated, written out once more: a sum of two exponentials whose rates
    are tied by the width, moved so that it is zero at the zero channel, and mirrored below it.
    """
    w = math.log10(-width)
    decades, extra = positive - w / 2, w / 2
    zero = int(extra * 4096 / (extra + decades))
    decades = extra * 4096 / zero
    w /= 2 * decades
    up = math.log(10) * decades
    low, high = 1e-9, up  # the rate of the falling part solves 2 ln(d / b) + w (b + d) = 0
    for _ in range(200):
        down = (low + high) / 2
        low, high = (down, high) if 2 * math.log(down / up) + w * (up + down) < 0 else (low, down)

    def curve(channel: float) -> float:
        at = channel / 4097
        return math.exp(at * up) - math.exp((up + down) * (w + extra / decades)) * math.exp(-at * down)

    values = [top / math.exp(up) * (curve(k) - curve(zero)) for k in range(4097)]
    for k in range(zero):
        values[k] = -values[2 * zero - k]
    return tuple(values)


def table(name: str, pairs: tuple[Sequence[float], Sequence[float]] | None, **attributes: object) -> str:
    given = {"biexponentialDecades": 4.5, "biexponentialNegDecades": 0, "biexponentialWidth": -10, **attributes}
    written = " ".join(f'{key}="{value}"' for key, value in given.items())
    text = "" if pairs is None else ",".join(f"{c},{v!r}" for c, v in zip(*pairs, strict=True))
    return f"<Table name={quoteattr(name)} {written}>{text}</Table>"


_SHOWN = [*range(0, 4096, 64), 4096]
BIEX = (_SHOWN, [biex_values()[k] for k in _SHOWN])
LOG_PAIRS = ([*range(0, 4097, 64)], [10 ** (c / 1024) for c in range(0, 4097, 64)])
#: For the matrix "mine" by parameter, then by number: 3 is a logarithmic one of four decades.
TABLES = table("mine <FITC-A>", BIEX) + table("mine <PE-A>", BIEX) + table(
    "log", LOG_PAIRS, biexponentialDecades=0, biexponentialWidth=0
)  # fmt: skip


def parameter(name: str, log: bool = False, index: int = 0, span: float = 4096, high: float = 262144) -> str:
    return (
        f'<Parameter name="{name}" label="" bits="32" log="{int(log)}" range="{span}" lowValue="0" highValue="{high}" '
        f'calibrationIndex="{index}"/>'
    )


PARAMETERS = "".join(
    [parameter("FSC-A"), parameter("SSC-A"), parameter("FITC-A", True), parameter("PE-A", True, 3), parameter("Time")]
)  # fmt: skip


def shape(kind: str, x: str, y: str, points: Points, **attributes: object) -> str:
    vertices = "".join(f'<Vertex x="{px!r}" y="{py!r}"/>' for px, py in points)
    given = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    return (
        f"<PolygonGate><ParameterNames><StringArray><String>{escape(x)}</String><String>{escape(y)}</String>"
        f'</StringArray></ParameterNames><Graph type="Pseudocolor"/><{kind} name="g" xAxisName={quoteattr(x)} '
        f"yAxisName={quoteattr(y)} {given}><Polygon>{vertices}</Polygon></{kind}></PolygonGate>"
    )


def rectangle(x: str, y: str, low: tuple[float, float], high: tuple[float, float], **attributes: object) -> str:
    corners = [low, (high[0], low[1]), high, (low[0], high[1])]
    return shape("PolyRect", x, y, corners, **attributes)


def span(x: str, low: float, high: float, **attributes: object) -> str:
    return shape("Range", x, "", [(low, 0.0), (high, 0.0)], **attributes)


def combination(formula: str, *paths: str, quoted: bool = False, **attributes: object) -> str:
    given = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    tag, mark = ("QuotedString", '"') if quoted else ("String", "")
    named = "".join(f"<{tag}>{escape(mark + path + mark)}</{tag}>" for path in paths)
    return (
        f"<BooleanGate specification={quoteattr(formula)} {given}><ParameterNames><StringArray/></ParameterNames>"
        f"<GatePaths><StringArray>{named}</StringArray></GatePaths></BooleanGate>"
    )


def population(name: str, gate: str, *below: str, count: object = "") -> str:
    return (
        f'<Population name={quoteattr(name)} count="{count}" owningGroup=""><Graph/>{gate}{"".join(below)}</Population>'
    )


def matrix(values: dict[str, dict[str, float]] = MATRIX, name: str = "mine") -> str:
    rows = "".join(
        f'<Channel name="{row}">'
        + "".join(f'<ChannelValue name="{column}" value="{value!r}"/>' for column, value in cells.items())
        + "</Channel>"
        for row, cells in values.items()
    )
    return f'<CompensationMatrix name="{name}" prefix="&lt;" suffix="&gt;">{rows}</CompensationMatrix>'


def sample(
    tree: str,
    *,
    name: str = "a.fcs",
    number: int = 1,
    compensation: str | None = "1",
    parameters: str = PARAMETERS,
    count: object = 8,
    keywords: dict[str, str] | None = None,
) -> str:
    words = {"$PAR": str(len(CHANNELS)), "$FIL": name} | {f"$P{k}N": n for k, n in enumerate(CHANNELS, start=1)}
    words |= {"$P4S": "CD3 "} | (keywords or {})
    listed = "".join(f"<Keyword name={quoteattr(k)} value={quoteattr(v)}/>" for k, v in words.items())
    by = "" if compensation is None else f' compensationID="{compensation}"'
    return (
        f'<Sample sampleID="{number}"{by} eventCount="{count}"><Keywords>{listed}</Keywords>{parameters}'
        f'<SampleNode name={quoteattr(name)} sampleID="{number}" count="{count}"><Graph/>{tree}</SampleNode></Sample>'
    )


def group(name: str, *ids: int) -> str:
    references = "".join(f'<SampleRef sampleID="{number}"/>' for number in ids)
    return (
        f'<GroupNode groupID="0" name={quoteattr(name)} owningGroup="x"><Group groupID="0"><SampleRefs>{references}'
        "</SampleRefs></Group></GroupNode>"
    )


def write(
    folder: Path,
    *samples: str,
    groups: str = "",
    tables: str = TABLES,
    matrices: str | None = None,
    versions: str = "; 9.2",
    name: str = "mac.xml",
) -> Path:
    """Latin-1 with a document type that declares nothing, as FlowJo 9 writes it."""
    path = folder / name
    path.write_text(
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE Workspace>\n<Workspace version="2.0" '
        f'flowJoVersion="9.2" versionList="{versions}"><Groups>{groups}</Groups>'
        f"<SampleList>{''.join(samples)}</SampleList>"
        f"<CompensationMatrices>{matrix() if matrices is None else matrices}</CompensationMatrices>"
        f"<CalibrationTables>{tables}</CalibrationTables></Workspace>\n",
        encoding="latin-1",
    )
    return path


def make_events(n: int = 4000, seed: int = 9) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    scatter = rng.uniform(-1e3, 2.6e5, (n, 2))
    spread = rng.choice([-1.0, 1.0, 1.0, 1.0], (n, 2)) * 10 ** rng.uniform(0, 5.5, (n, 2))
    return np.hstack([scatter, spread, np.arange(n)[:, None]]).astype(np.float32).astype(np.float64)


def fcs(folder: Path, events: NDArray[np.float64], name: str = "a.fcs") -> Path:
    write_fcs(events.astype(np.float32), folder / name, channels=CHANNELS, keywords={"$FIL": name})
    return folder / name


def on_biex(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Channels by the whole table, straight between its points and ending with it."""
    return np.interp(values, biex_values(), np.arange(4097.0))


def inside_polygon(x: NDArray[np.float64], y: NDArray[np.float64], points: Points) -> NDArray[np.bool_]:
    """Crossings of a ray to the right, one edge at a time."""
    inside = np.zeros(x.shape, dtype=bool)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if y0 == y1:
            continue
        spans = (y0 <= y) != (y1 <= y)
        inside ^= spans & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside
