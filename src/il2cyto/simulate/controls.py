"""Controls of each batch: single stains and unstained beads, stains without one marker, and a control donor."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from il2cyto.simulate.biology import VisitTruth, draw_subject
from il2cyto.simulate.design import TrialDesign
from il2cyto.simulate.instruments import BATCH_DAYS, INSTRUMENTS, Batch
from il2cyto.simulate.optics import measure
from il2cyto.simulate.panels import PANELS, SATURATION, SCATTER, TIMESTEP, TubePanel, level
from il2cyto.simulate.plan import FIRST_DAY, TrialPlan, bead_lot
from il2cyto.simulate.quantities import CELLS
from il2cyto.simulate.streams import entropy
from il2cyto.simulate.tube import TubeSpec

#: Markers that have a stain without them: where the boundary cannot be seen.
OMITTED: Final = {"TREG": ("CD25", "CD127"), "TH17": ("CCR6", "CXCR3", "CCR4")}
DONOR: Final = "CTRL"
#: Events of a single stain, and the share of beads in it that bind the antibody.
BEADS: Final = 3_000
_BINDING: Final = 0.5
#: Lymphocytes of a stain without one marker, at most.
_FMO_LYMPHOCYTES: Final = 20_000
#: The control donor is a healthy adult: log ratio of their blood to that of an average child of the trial.
_HEALTHY: Final = {"t": 0.25, "b": 0.10, "nk_dim": 0.7, "treg_of_cd4": 0.15, "memory_of_tconv": 0.45}


@dataclass(frozen=True)
class StainSpec:
    """A single stain (``marker`` and its channel) or an unstained control of one tube on compensation beads."""

    control_id: str
    panel: str
    marker: str
    batch: Batch
    seed: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True)
class ControlTube:
    """A tube of cells that controls a batch: ``fmo`` (with its marker) or ``donor``."""

    kind: str
    marker: str
    spec: TubeSpec


@dataclass(frozen=True)
class Controls:
    """Controls of a trial with the date on which each batch was calibrated."""

    stains: tuple[StainSpec, ...] = ()
    tubes: tuple[ControlTube, ...] = ()
    acquired: dict[str, str] = field(default_factory=dict)


def plan_controls(plan: TrialPlan) -> Controls:
    """Controls of every batch in which a tube of the trial was measured."""
    stains: list[StainSpec] = []
    tubes: list[ControlTube] = []
    acquired = {}
    for batch in plan.batches:
        instrument, period = INSTRUMENTS.index(batch.instrument), int(batch.id.rsplit("-", 1)[1]) - 1
        acquired[batch.id] = (FIRST_DAY + timedelta(days=BATCH_DAYS * period)).isoformat()
        donor = _donor(plan.seed, instrument, period)
        for k, panel in enumerate(PANELS.values()):
            stains += [
                StainSpec(
                    f"{batch.id}-{panel.name}-{marker or 'unstained'}".replace("+", "_"),
                    panel.name,
                    marker,
                    batch,
                    entropy(plan.seed, "control", instrument, period, k, n),
                )
                for n, marker in enumerate(("", *panel.markers))
            ]
            for n, marker in enumerate(("", *OMITTED.get(panel.name, ()))):
                name = f"{batch.id}-{panel.name}-{'donor' if not marker else f'FMO-{marker}'}"
                seed = entropy(plan.seed, "control", instrument, period, k, 100 + n)
                tubes.append(
                    ControlTube(
                        "fmo" if marker else "donor",
                        marker,
                        _cells(plan.design, panel, batch, donor, name, seed, marker),
                    )
                )
    return Controls(tuple(stains), tuple(tubes), acquired)


def _donor(seed: int, instrument: int, period: int) -> VisitTruth:
    """Blood of the control donor on the day of a calibration."""
    donor = draw_subject(1, entropy(seed, "control", 0), list(CELLS), FIRST_DAY)
    within = np.random.default_rng(list(entropy(seed, "control", instrument, period))).normal(size=len(CELLS)).tolist()
    values = {
        # an adult of 20 years, closer to the median than patients are
        name: quantity.value(
            0.5 * quantity.omega * donor.deviations[name]
            + quantity.sigma * now
            + _HEALTHY.get(name, 0.0)
            + 8 * quantity.per_year,
            0.0,
        )
        for (name, quantity), now in zip(CELLS.items(), within, strict=True)
    }
    return VisitTruth(DONOR, "control", 1, 0.0, values, dict.fromkeys(CELLS, 0.0))


def _cells(
    design: TrialDesign,
    panel: TubePanel,
    batch: Batch,
    blood: VisitTruth,
    name: str,
    seed: tuple[int, ...],
    marker: str,
) -> TubeSpec:
    stated, lot, factor = bead_lot(design, 0)
    wanted = design.tbnk_lymphocytes if panel.whole_blood else design.lymphocytes
    return TubeSpec(
        tube_id=name,
        panel=panel.name,
        blood=blood,
        seed=seed,
        lymphocytes=min(wanted, _FMO_LYMPHOCYTES) if marker else wanted,
        separable=design.separable,
        beads_per_test=stated,
        bead_lot=lot,
        lot_factor=factor,
        cv_pipetting=design.cv_pipetting,
        batch=batch,
        omitted=marker or None,
    )


def simulate_stain(spec: StainSpec) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Events of a single stain, float32 ``(n, p)`` in the channels of its panel, and which of them bind (0 or 1)."""
    panel = PANELS[spec.panel]
    rng = np.random.default_rng(list(spec.seed))
    markers = panel.markers
    light = (np.float32(70.0) * np.exp(0.3 * rng.standard_normal((BEADS, len(markers)), dtype=np.float32))).astype(
        np.float32
    )
    binding = rng.random(BEADS) < _BINDING if spec.marker else np.zeros(BEADS, dtype=np.bool_)
    if spec.marker:
        # as bright as the brightest cells, with the narrow peak of a bead
        bright = max(level(spec.marker, name).median for name in ("pos", "hi", "bright") if _has(spec.marker, name))
        light[binding, markers.index(spec.marker)] = min(1.5 * bright, 60_000.0) * np.exp(
            0.10 * rng.standard_normal(int(binding.sum()), dtype=np.float32)
        )
    area = (40e3 * np.exp(0.04 * rng.standard_normal(BEADS))).astype(np.float32)
    scatter = np.stack(
        [area, 0.9 * area, (30e3 * np.exp(0.05 * rng.standard_normal(BEADS))).astype(np.float32)], axis=1
    )
    gains = spec.batch.gain(tuple(detector.channel for detector in panel.detectors))
    events = np.empty((BEADS, len(panel.channels)), dtype=np.float32)
    events[:, : len(SCATTER)] = scatter * spec.batch.gain(SCATTER)
    events[:, len(SCATTER) : -1] = np.minimum(
        measure(rng, light * gains, spec.batch.stored_spillover(panel)), np.float32(SATURATION)
    )
    events[:, -1] = np.floor(np.sort(rng.uniform(0.0, BEADS / 1000.0, BEADS)) / TIMESTEP)
    return events, binding.astype(np.uint8)


def _has(marker: str, name: str) -> bool:
    try:
        level(marker, name)
    except KeyError:
        return False
    return True
