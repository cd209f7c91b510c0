"""Experiments of FACSDiva written by hand, as small as the structure that CytoML reads allows."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from il2cyto.fcs import write_fcs

Points = Sequence[tuple[float, float]]

CHANNELS = ["FSC-A", "FSC-W", "SSC-A", "FITC-A", "PE-A", "APC-A", "Time"]
#: Weights of the detectors (rows) in the compensated FITC, PE and APC (columns).
WEIGHTS = np.array([[1.02, -0.21, 0.0], [-0.03, 1.01, -0.05], [0.01, 0.0, 1.0]])
SCALE = {"FITC-A": 162, "PE-A": 358, "APC-A": 0}


def parameter(
    name: str, kind: int = 30, log: bool = False, weights: Sequence[float] = (), end: float = 262143.0
) -> str:
    top = math.log10(262143.0) if log else end
    inner = "".join(f"<compensation_coefficient>{w!r}</compensation_coefficient>" for w in map(float, weights))
    compensation = f"<compensation>{inner}</compensation>" if inner else ""
    return (
        f'<parameter name="{name}" type="{kind}"><is_log>{str(log).lower()}</is_log><min>0.0</min><max>{top!r}</max>'
        f"<biexp_scale>-1</biexp_scale><comp_biexp_scale>-1</comp_biexp_scale>{compensation}</parameter>"
    )


def settings(*parameters: str, enabled: bool = True) -> str:
    return (
        f'<instrument_settings name="Cytometer Settings"><compensation_enabled>{str(enabled).lower()}'
        f"</compensation_enabled><use_auto_biexp_scale>true</use_auto_biexp_scale>{''.join(parameters)}"
        "</instrument_settings>"
    )


SCATTER = [parameter("FSC-A"), parameter("FSC-W", 20), parameter("SSC-A")]
COLOURS = [
    parameter(name, log=True, weights=WEIGHTS[:, k]) for k, name in enumerate(("FITC-A", "PE-A", "APC-A"))
]  # fmt: skip
TIME = parameter("Time", 40)
SETTINGS = settings(*SCATTER, *COLOURS, TIME)

#: Units of the coordinates on an axis: instrument units, decades, or channels of a biexponential display.
LINEAR, LOG = (False, False, 0), (False, True, -1)


def biex(value: object) -> tuple[bool, bool, object]:
    return (True, True, value)


def axis(which: str, units: tuple[bool, bool, object]) -> str:
    scaled, log, value = units
    return (
        f"<is_{which}_parameter_scaled>{str(scaled).lower()}</is_{which}_parameter_scaled>"
        f"<is_{which}_parameter_log>{str(log).lower()}</is_{which}_parameter_log>"
        f"<{which}_parameter_scale_value>{value}</{which}_parameter_scale_value>"
    )


ALL = "All Events"
M = 4.5 * math.log(10)


def events(count: object = 8, name: str = ALL) -> str:
    root = f'<gate fullname="{name}" type="EventSource_Classifier">'
    return f"{root}<name>{name}</name><num_events>{count}</num_events></gate>"


def gate(
    path: str, kind: str, inner: str, *, parent: str | None = None, inputs: Sequence[str] = (), count: int = 0
) -> str:
    """A gate at a path of ``\\``; all events stand above it."""
    full = escape(f"{ALL}\\{path}")
    above = escape(parent if parent is not None else full.rpartition("\\")[0])
    named = "".join(f"<input>{escape(name)}</input>" for name in inputs)
    return (
        f'<gate fullname="{full}" type="{kind}"><name>{escape(path.rpartition(chr(92))[2])}</name>'
        f"<num_events>{count}</num_events><parent>{above}</parent>{inner}{named}</gate>"
    )


def region(
    path: str,
    shape: str,
    x: str,
    y: str | None,
    points: Points,
    *,
    on: tuple[tuple[bool, bool, object], tuple[bool, bool, object]] = (LINEAR, LINEAR),
    kind: str = "Region_Classifier",
    more: str = "",
    **rest: object,
) -> str:
    written = "".join(f'<point x="{px!r}" y="{py!r}" />' for px, py in points)
    yparm = f' yparm="{y}"' if y is not None else ""
    inner = (
        f'{more}<region name="" xparm="{x}"{yparm} type="{shape}"><points>{written}</points></region>'
        f"{axis('x', on[0])}{axis('y', on[1])}"
    )
    return gate(path, kind, inner, **rest)  # type: ignore[arg-type]


def rectangle(path: str, x: str, y: str, low: tuple[float, float], high: tuple[float, float], **rest: object) -> str:
    corners = [low, (high[0], low[1]), high, (low[0], high[1])]
    return region(path, "RECTANGLE_REGION", x, y, corners, **rest)  # type: ignore[arg-type]


def polygon(path: str, x: str, y: str, points: Points, **rest: object) -> str:
    return region(path, "POLYGON_REGION", x, y, points, **rest)  # type: ignore[arg-type]


def interval(path: str, x: str, low: float, high: float, units: tuple[bool, bool, object], **rest: object) -> str:
    return region(path, "INTERVAL_REGION", x, None, [(low, 40.0), (high, 40.0)], on=(units, LINEAR), **rest)  # type: ignore[arg-type]


def tube(gates: str, *, name: str = "_001", file: str | None = "a.fcs", own: str = SETTINGS, labels: str = "") -> str:
    data = f"<data_filename>{escape(file)}</data_filename>" if file is not None else ""
    return f'<tube name="{escape(name)}">{data}{labels}{own}<gates>{gates}</gates></tube>'


def specimen(*tubes: str, name: str = "PE") -> str:
    return f'<specimen name="{escape(name)}">{"".join(tubes)}</specimen>'


def sheet(gates: str, name: str = "Global Sheet1", own: str = "") -> str:
    return f'<worksheet_template name="{name}">{own}<gates>{gates}</gates></worksheet_template>'


def write(
    folder: Path, *parts: str, sheets: str = "", decades: object = 5, name: str = "experiment.xml", own: str = ""
) -> Path:
    path = folder / name
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<bdfacs version="Version 6.1.3" release_version="Version 6.1.3">'
        f'<experiment name="made"><log_decades>{decades}</log_decades>{own}'
        f'<acquisition_worksheets name="Global Worksheets">{sheets}</acquisition_worksheets>{"".join(parts)}'
        "</experiment></bdfacs>\n",
        encoding="utf-8",
    )
    return path


def make_events(n: int = 4000, seed: int = 5) -> NDArray[np.float64]:
    """Events with values below zero and beyond the displays, whole as float32."""
    rng = np.random.default_rng(seed)
    scatter = rng.uniform(-2e3, 3e5, (n, 3))
    spread = rng.choice([-1.0, 1.0, 1.0, 1.0], (n, 3)) * 10 ** rng.uniform(0, 5.8, (n, 3))
    time = np.arange(n, dtype=np.float64)[:, None]
    return np.hstack([scatter, spread, time]).astype(np.float32).astype(np.float64)


def fcs(folder: Path, events: NDArray[np.float64], name: str = "a.fcs", channels: Sequence[str] = CHANNELS) -> Path:
    write_fcs(events.astype(np.float32), folder / name, channels=list(channels), keywords={"$FIL": name})
    return folder / name


@functools.cache
def _shape(scale: float) -> tuple[float, float, float]:
    """``w`` and ``p`` of the logicle, in natural units, and its factor."""
    width = max((4.5 - math.log10(262144 / scale)) / 2, 0.0) if scale else 0.0
    w = width * math.log(10)
    low, high = 1.0, 1e6
    for _ in range(200):
        p = math.sqrt(low * high)
        low, high = (p, high) if 2 * p * math.log(p) / (p + 1) < w else (low, p)
    end = M - w
    return w, p, 262144 / (math.exp(end) - p * p * math.exp(-end / p) + p * p - 1)


def display_values(channels: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Values at channels of a biexponential display, by the formula of Parks, Roederer and Moore (2006).

    ``S(y) = k (e^(y-w) - p² e^(-(y-w)/p) + p² - 1)`` with ``w = 2 p ln p / (p + 1)`` in natural units, and its mirror
    image below ``y = w``; ``k`` makes the end of the display 262144 (Moore and Parks 2012).
    """
    w, p, factor = _shape(scale)
    y = channels / 4096 * M - w
    up = np.abs(y)
    return np.sign(y) * factor * (np.exp(up) - p * p * np.exp(-up / p) + p * p - 1)


def display_value(channel: float, scale: float) -> float:
    return float(display_values(np.array([channel]), scale)[0])


def channels_of(values: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Channels of values, by halving."""
    low, high = np.full(values.shape, -8192.0), np.full(values.shape, 12288.0)
    for _ in range(90):
        middle = (low + high) / 2
        below = display_values(middle, scale) < values
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


def inside_polygon(x: NDArray[np.float64], y: NDArray[np.float64], points: Points) -> NDArray[np.bool_]:
    """Crossings of a ray to the right, one edge at a time."""
    inside = np.zeros(x.shape, dtype=bool)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if y0 == y1:
            continue
        spans = (y0 <= y) != (y1 <= y)
        inside ^= spans & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside
