"""Workspaces written by hand, as small as FlowJo 10's own structure allows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from il2cyto.fcs import write_fcs

CHANNELS = ["FSC-A", "SSC-A", "FITC-A", "PE-A", "B 530/30-A", "Time"]
SPACES = (
    'xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"'
)
LINEAR = '<transforms:linear transforms:minRange="0" transforms:maxRange="1000" gain="1">{}</transforms:linear>'
BIEX = (
    '<transforms:biex transforms:length="256" transforms:maxRange="262144" transforms:neg="0" transforms:width="-100" '
    'transforms:pos="4.418539922">{}</transforms:biex>'
)


def axis(scale: str, *names: str) -> str:
    return "".join(scale.format(f'<data-type:parameter data-type:name="{name}"/>') for name in names)


AXES = axis(LINEAR, "FSC-A", "SSC-A", "B 530_30-A", "Time") + axis(BIEX, "FITC-A", "PE-A", "Comp-FITC-A", "Comp-PE-A")


def dimension(name: str, low: object = None, high: object = None) -> str:
    edges = "".join(f' gating:{key}="{edge}"' for key, edge in (("min", low), ("max", high)) if edge is not None)
    return f'<gating:dimension{edges}><data-type:fcs-dimension data-type:name="{name}"/></gating:dimension>'


def points(rows: Sequence[Sequence[float]]) -> str:
    made = []
    for row in rows:
        values = "".join(f'<gating:coordinate data-type:value="{value}"/>' for value in row)
        made.append(f"<gating:vertex>{values}</gating:vertex>")
    return "".join(made)


def rectangle(*dims: str, inside: str = "1") -> str:
    return f'<gating:RectangleGate eventsInside="{inside}" percentX="0">{"".join(dims)}</gating:RectangleGate>'


def polygon(x: str, y: str, rows: Sequence[Sequence[float]], inside: str = "1", resolution: int = 256) -> str:
    return (
        f'<gating:PolygonGate eventsInside="{inside}" quadId="-1" gateResolution="{resolution}">{dimension(x)}'
        f"{dimension(y)}{points(rows)}</gating:PolygonGate>"
    )


def ellipse(x: str, y: str, foci: Sequence[Sequence[float]], edge: Sequence[Sequence[float]]) -> str:
    return (
        f'<gating:EllipsoidGate eventsInside="1" gating:distance="1">{dimension(x)}{dimension(y)}<gating:foci>'
        f"{points(foci)}</gating:foci><gating:edge>{points(edge)}</gating:edge></gating:EllipsoidGate>"
    )


def curly(*dims: str) -> str:
    return f'<gating:CurlyQuad eventsInside="1">{"".join(dims)}</gating:CurlyQuad>'


def population(name: str, gate: str, *below: str, count: object = "-1", owner: str = "", ids: str = "") -> str:
    inner = f"<Subpopulations>{''.join(below)}</Subpopulations>" if below else ""
    return (
        f'<Population name="{name}" annotation="" owningGroup="{owner}" count="{count}"><Graph/>'
        f"<Gate {ids}>{gate}</Gate>{inner}</Population>"
    )


def combination(kind: str, name: str, of: Sequence[str], *below: str, count: object = "-1") -> str:
    dependents = "".join(f'<Dependent name="{other}"/>' for other in of)
    inner = f"<Subpopulations>{''.join(below)}</Subpopulations>" if below else ""
    return (
        f'<{kind} name="{name}" annotation="" owningGroup="" count="{count}"><Dependents>{dependents}</Dependents>'
        f"{inner}</{kind}>"
    )


def matrix(values: dict[str, dict[str, float]], key: str = "m1", name: str = "mine", **attributes: str) -> str:
    written = "".join(f' {k}="{v}"' for k, v in {"prefix": "Comp-", "suffix": "", **attributes}.items())
    names = "".join(f'<data-type:parameter data-type:name="{row}"/>' for row in values)
    rows = "".join(
        f'<transforms:spillover data-type:parameter="{row}">'
        + "".join(
            f'<transforms:coefficient data-type:parameter="{column}" transforms:value="{value}"/>'
            for column, value in cells.items()
        )
        + "</transforms:spillover>"
        for row, cells in values.items()
    )
    parameters = f"<data-type:parameters>{names}</data-type:parameters>" if values else ""
    return (
        f'<transforms:spilloverMatrix{written} name="{name}" transforms:id="{key}">{parameters}{rows}'
        "</transforms:spilloverMatrix>"
    )


def sample(
    tree: str,
    *,
    name: str = "a.fcs",
    number: int = 1,
    axes: str = AXES,
    compensation: str = "",
    uri: str | None = None,
    keywords: dict[str, str] | None = None,
    channels: Sequence[str] = CHANNELS,
    count: object = 8,
    more: str = "",
) -> str:
    # FlowJo writes "_" for "/" in its keywords too, and adds its own parameters after the last of the file
    words = {"$PAR": str(len(channels)), "$TOT": "8"}
    words |= {f"$P{i}N": channel.replace("/", "_") for i, channel in enumerate(channels, start=1)}
    words |= {f"$P{len(channels) + 1}N": "Comp-FITC-A", **(keywords or {})}
    listed = "".join(f'<Keyword name="{key}" value="{value}"/>' for key, value in words.items())
    place = f"file:/C:/Users/x/{name.replace(' ', '%20')}" if uri is None else uri
    return (
        f'<Sample><DataSet uri="{place}" sampleID="{number}"/>{compensation}<Transformations>{axes}</Transformations>'
        f'<Keywords>{listed}</Keywords>{more}<SampleNode name="{name}" annotation="" owningGroup="" '
        f'count="{count}" sampleID="{number}"><Graph/><Subpopulations>{tree}</Subpopulations></SampleNode></Sample>'
    )


def group(name: str, *ids: int, tree: str = "") -> str:
    references = "".join(f'<SampleRef sampleID="{number}"/>' for number in ids)
    below = f"<Subpopulations>{tree}</Subpopulations>" if tree else ""
    return (
        f'<GroupNode name="{name}" annotation="" owningGroup="{name}"><Group name="{name}"><SampleRefs>{references}'
        f"</SampleRefs></Group>{below}</GroupNode>"
    )


def write(folder: Path, *samples: str, groups: str = "", matrices: str = "", name: str = "panel.wsp") -> Path:
    path = folder / name
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Workspace version="20.0" flowJoVersion="10.8.1" {SPACES}>'
        f"<Matrices>{matrices}</Matrices><Groups>{groups or group('All Samples', 1)}</Groups><SampleList>"
        f"{''.join(samples)}</SampleList></Workspace>",
        encoding="utf-8",
    )
    return path


#: Eight events by hand: FSC-A, SSC-A, FITC-A, PE-A, B 530/30-A, Time.
EVENTS = np.array(
    [
        [100.0, 900.0, 1000.0, 200.0, 10.0, 1.0],
        [200.0, 800.0, 2000.0, 500.0, 20.0, 2.0],
        [300.0, 700.0, -50.0, 0.0, 30.0, 3.0],
        [400.0, 600.0, 0.0, 3000.0, 40.0, 4.0],
        [500.0, 500.0, 1e4, 2000.0, 50.0, 5.0],
        [600.0, 400.0, 1e5, 1e4, 60.0, 6.0],
        [700.0, 300.0, 300000.0, 1e5, 70.0, 7.0],
        [1500.0, 200.0, 100.0, 100.0, 80.0, 8.0],
    ]
)


def fcs(folder: Path, name: str = "a.fcs", channels: Sequence[str] = CHANNELS) -> Path:
    write_fcs(EVENTS, folder / name, channels=list(channels), keywords={"$FIL": name})
    return folder / name
