"""The beads of a bead array for the page: size groups by scatter, and analytes by the classification dye."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import chi2

from il2cyto.report.numbers import words
from il2cyto.report.svg import label, superscript

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from il2cyto.beads import BeadPicture

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 330, 300, 44, 10, 74, 34
#: Of what is no bead, and of beads in turn, so that neighbours differ.
_NONE, _COLOURS = "#c3cdd5", ("#3b6f93", "#b7621b", "#3f8a5a")
_INK: Final = "#1b2733"
_SIZE_LEVEL: Final = 0.975


class _Axes:
    """A square of the picture with its limits on both axes, in powers of ten."""

    def __init__(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        # debris far away would press the beads into a corner
        self.low_x, self.high_x = (float(end) for end in np.quantile(x, (0.005, 0.995)) + np.array([-0.15, 0.15]))
        self.low_y, self.high_y = (float(end) for end in np.quantile(y, (0.005, 0.995)) + np.array([-0.15, 0.15]))

    def across(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(_LEFT + (x - self.low_x) / (self.high_x - self.low_x) * (_WIDTH - _LEFT - _RIGHT))

    def up(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(_TOP + (self.high_y - y) / (self.high_y - self.low_y) * (_HEIGHT - _TOP - _BOTTOM))

    def inside(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray((x > self.low_x) & (x < self.high_x) & (y > self.low_y) & (y < self.high_y))


def bead_svgs(picture: BeadPicture) -> tuple[tuple[str, str], ...]:
    """Title and picture of the sizes, then of each group of size.

    Parameters
    ----------
    picture
        From `il2cyto.beads.bead_picture`.
    """
    gates = picture.gates
    groups = np.repeat(np.arange(len(gates.medians)), [one.size for one in gates.medians])
    member = np.where(picture.bead >= 0, groups[picture.bead], -1)
    axes = _Axes(picture.forward, picture.side)
    sizes = [_dots(axes, picture.forward, picture.side, member == -1, _NONE)]
    for group, (centre, covariance) in enumerate(zip(gates.centres, gates.covariances, strict=True)):
        colour = _COLOURS[group % len(_COLOURS)]
        sizes.append(_dots(axes, picture.forward, picture.side, member == group, colour))
        outline = _ellipse(centre, covariance)
        sizes.append(_line(axes.across(outline[0]), axes.up(outline[1]), _INK))
    found = [("Sizes", _svg("Sizes of beads", axes, sizes, "forward scatter", "side scatter"))]
    first = 0
    for group, medians in enumerate(gates.medians):
        title = f"Beads of group {group + 1}" if len(gates.medians) > 1 else "Beads"
        found.append((title, _beads(picture, group, first, title)))
        first += medians.size
    return tuple(found)


def _beads(picture: BeadPicture, group: int, first: int, title: str) -> str:
    gates = picture.gates
    medians = gates.medians[group]
    mine = (picture.bead >= first) & (picture.bead < first + medians.size)
    axes = _Axes(picture.dye[mine], picture.reporter[mine])
    parts = []
    for position in range(medians.size):
        colour = _COLOURS[position % len(_COLOURS)]
        parts.append(_dots(axes, picture.dye, picture.reporter, picture.bead == first + position, colour))
        at = float(axes.across(medians[position]))
        name = escape(words(picture.analytes[first + position]))
        parts.append(
            f'<text transform="translate({at + 3:.1f} {_TOP - 5}) rotate(-60)" font-size="9" fill="{colour}">'
            f"{name}</text>"
        )
    return _svg(title, axes, parts, "classification dye", "reporter")


def _ellipse(centre: NDArray[np.float64], covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    angles = np.linspace(0, 2 * np.pi, 49)
    circle = np.sqrt(chi2.ppf(_SIZE_LEVEL, 2)) * np.stack([np.cos(angles), np.sin(angles)])
    return np.asarray(centre[:, None] + np.linalg.cholesky(covariance) @ circle)


def _dots(axes: _Axes, x: NDArray[np.float64], y: NDArray[np.float64], chosen: NDArray[np.bool_], colour: str) -> str:
    shown = chosen & axes.inside(x, y)
    # one path of dots of no length weighs a fifth of as many circles
    d = "".join(f"M{a:.0f} {b:.0f}h0" for a, b in zip(axes.across(x[shown]), axes.up(y[shown]), strict=True))
    return f'<path d="{d}" stroke="{colour}" stroke-width="1.6" stroke-linecap="round" opacity="0.6"/>' if d else ""


def _line(x: NDArray[np.float64], y: NDArray[np.float64], colour: str) -> str:
    d = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="1.2"/>'


def _svg(title: str, axes: _Axes, parts: list[str], x_label: str, y_label: str) -> str:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    ticks = [
        label(float(axes.across(np.asarray(float(power)))), bottom + 13, f"10{superscript(power)}", "middle")
        for power in range(int(np.ceil(axes.low_x)), int(np.floor(axes.high_x)) + 1)
    ]
    ticks += [
        label(_LEFT - 4, float(axes.up(np.asarray(float(power)))) + 3, f"10{superscript(power)}", "end")
        for power in range(int(np.ceil(axes.low_y)), int(np.floor(axes.high_y)) + 1)
    ]
    frame = (
        f'<rect x="{_LEFT}" y="{_TOP}" width="{right - _LEFT}" height="{bottom - _TOP}" fill="none" stroke="#c3cdd5"/>'
    )
    labels = [
        label((_LEFT + right) / 2, _HEIGHT - 6, x_label, "middle"),
        f'<text transform="translate(10 {(_TOP + bottom) / 2:.0f}) rotate(-90)" font-size="9" text-anchor="middle"'
        f' fill="#5a6978">{escape(y_label)}</text>',
    ]
    head = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
    return "".join([head, frame, *parts, *ticks, *labels, "</svg>"])
