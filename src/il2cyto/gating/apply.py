"""Apply a strategy to a sample: bind names, lay out the tables, run the engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from il2cyto.errors import FcsError, ParameterError
from il2cyto.gating.bind import Binder, not_estimable
from il2cyto.gating.plan import CompiledGate, Lattice
from il2cyto.gating.result import GatingResult
from il2cyto.gating.strategy import GatingStrategy
from il2cyto.kernels import engine, lattice
from il2cyto.kernels.decode import read_only
from il2cyto.panel import Panel
from il2cyto.sample import Sample

#: Fewer events than this are gated before a second thread has begun.
_WORTH_A_THREAD = 50_000
#: Bytes that are read at a time; the second level of a core's cache holds them.
_PIECE = 1 << 18


def apply_strategy(
    strategy: GatingStrategy,
    sample: Sample,
    panel: Panel | None = None,
    threads: int = 1,
    kept: tuple[tuple[int, int], ...] | None = None,
) -> GatingResult:
    """Gate every event, or those that are kept; see `GatingStrategy.apply`."""
    kept = _checked(kept, sample.n_events)
    binder = Binder(strategy, sample, panel)
    reasons, missing, keys = not_estimable(strategy, binder)
    running = [i for i in strategy.order if not reasons[i]]
    axes, number = binder.tables()
    row = {population: k for k, population in enumerate(running)}

    transforms = sorted({d.transform for i in running for d in strategy.compiled[i].dimensions if d.transform})
    transform_index = {name: k + 1 for k, name in enumerate(transforms)}
    packed_parameters = [np.array([-np.inf, np.inf]), *(strategy.transforms[name].packed for name in transforms)]
    transform_first = np.cumsum([0, *(p.size for p in packed_parameters[:-1])]).astype(np.int64)
    transform_kind = np.array([0, *(strategy.transforms[name].code for name in transforms)], dtype=np.int64)

    tables = _Tables()
    for i in running:
        gate = strategy.compiled[i]
        parent = strategy.parents[i]
        tables.add(
            gate,
            parent=row[parent] if parent >= 0 else -1,
            complement=strategy.populations[i].complement,
            axes=[number[key] for key in keys[i]],  # type: ignore[index]  # the keys are those that `tables` numbered
            transforms=[transform_index[d.transform] if d.transform else 0 for d in gate.dimensions],
            operands=[(row[k], flip) for k, flip in gate.operands],
        )

    n_bytes = (sample.n_events + 7) // 8
    packed = np.zeros((len(running), n_bytes), dtype=np.uint8)
    counts = np.zeros(len(running), dtype=np.int64)
    undefined = np.zeros(len(running), dtype=np.int64)
    layout = sample.layout
    if running and sample.n_events and kept != ():
        further = (
            layout.position, layout.width, layout.kind, layout.mask,
            layout.byte_order, layout.scale, layout.argument, layout.offset,
            axes.needed, axes.kind, axes.source, axes.constants, axes.weights, axes.slots,
            *tables.arrays(), transform_kind, transform_first, np.concatenate(packed_parameters), *tables.shapes(),
            packed,
        )  # fmt: skip

        def work(part: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
            found, lost = np.zeros_like(counts), np.zeros_like(undefined)
            for first, last in kept or ((0, sample.n_events),):
                for base, stop, data in _stored(sample, max(first, part[0]), min(last, part[1])):
                    engine.run(read_only(data), layout.stride, base, base, stop, *further, found, lost)
            return found, lost

        for found, lost in _in_parts(work, sample.n_events, threads):
            counts += found
            undefined += lost

    n = len(strategy.populations)
    everything = np.zeros((n, n_bytes), dtype=np.uint8)
    inside, lost = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    everything[running], inside[running], lost[running] = packed, counts, undefined
    notes = (*strategy.notes, *binder.notes)
    return GatingResult(
        strategy, sample, everything, inside, lost, tuple(reasons), tuple(missing), binder.panel, notes, kept
    )


def _checked(kept: tuple[tuple[int, int], ...] | None, n_events: int) -> tuple[tuple[int, int], ...] | None:
    """Ranges of events, in order and on whole bytes of the packed membership."""
    if kept is None:
        return None
    edges = [edge for part in kept for edge in part]
    whole = all(first % 8 == 0 and (stop % 8 == 0 or stop == n_events) and first < stop for first, stop in kept)
    if edges != sorted(edges) or not whole or (edges and not 0 <= edges[0] <= edges[-1] <= n_events):
        raise ParameterError(
            f"kept {kept}: wanted ranges of the {n_events} events, one after the other, between multiples of 8"
        )
    return kept


def _stored(sample: Sample, first: int, stop: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield the stored bytes of events ``first .. stop`` in pieces.

    A file is read into one small buffer over and over: that touches each byte once, while pages of a mapped file cost
    more to map than to copy. A file that has become shorter is an error instead of a crash.
    """
    if first >= stop:
        return
    if sample.path is None or sample.data_offset is None or not hasattr(os, "preadv"):
        yield first, stop, sample.data[first * sample.layout.stride : stop * sample.layout.stride]
        return
    stride = sample.layout.stride
    step = max(_PIECE // stride // engine.BLOCK, 1) * engine.BLOCK
    buffer = np.empty(min(step, stop - first) * stride, dtype=np.uint8)
    try:
        descriptor = os.open(sample.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise FcsError(
            "{file}: cannot be opened again ({reason}); it was there when it was read",
            file=sample.path.name, reason=error.strerror,
        ) from error  # fmt: skip
    try:
        for base in range(first, stop, step):
            count = min(step, stop - base)
            piece = buffer[: count * stride]
            if os.preadv(descriptor, [piece.data], sample.data_offset + base * stride) != piece.size:
                raise FcsError(
                    "{file}: has become shorter since it was opened; copy it from the instrument again",
                    file=sample.path.name,
                )
            yield base, base + count, piece
    finally:
        os.close(descriptor)


def _in_parts(
    work: Callable[[tuple[int, int]], tuple[np.ndarray, np.ndarray]], n_events: int, threads: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Work on ranges of whole blocks in threads; the kernel holds no lock of the interpreter."""
    threads = max(1, min(threads, n_events // _WORTH_A_THREAD))
    if threads == 1:
        return [work((0, n_events))]
    blocks = -(-n_events // engine.BLOCK)
    step = -(-blocks // threads) * engine.BLOCK
    parts = [(first, min(first + step, n_events)) for first in range(0, n_events, step)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


class _Tables:
    """The growing tables of gates, dimensions and shapes."""

    def __init__(self) -> None:
        self._gates: list[list[int]] = []
        self._dims: list[list[int]] = []
        self._limits: list[list[float]] = []
        self._operands: list[list[int]] = []
        self._vertices: list[np.ndarray] = []
        self._ellipsoids: list[np.ndarray] = []
        self._lattices: list[Lattice] = []

    def add(
        self,
        gate: CompiledGate,
        *,
        parent: int,
        complement: bool,
        axes: list[int],
        transforms: list[int],
        operands: list[tuple[int, bool]],
    ) -> None:
        row = [0] * engine.GATE_COLUMNS
        row[engine.TYPE], row[engine.PARENT], row[engine.COMPLEMENT] = gate.shape, parent, int(complement)
        row[engine.OPERATION], row[engine.LATTICE_INDEX] = gate.operation, -1
        if gate.shape == engine.BOOLEAN:
            row[engine.FIRST], row[engine.COUNT] = len(self._operands), len(operands)
            self._operands += [[population, int(flip)] for population, flip in operands]
        else:
            row[engine.FIRST], row[engine.COUNT] = len(self._dims), len(axes)
            self._dims += [list(pair) for pair in zip(axes, transforms, strict=True)]
            self._limits += np.stack([gate.low, gate.high, gate.domain], axis=1).tolist()
        if gate.shape == engine.POLYGON:
            row[engine.SHAPE_FIRST] = sum(len(part) for part in self._vertices)
            row[engine.SHAPE_COUNT] = len(gate.vertices)
            self._vertices.append(gate.vertices)
        if gate.shape == engine.ELLIPSOID:
            row[engine.SHAPE_FIRST] = sum(part.size for part in self._ellipsoids)
            self._ellipsoids.append(gate.ellipsoid)
        if gate.lattice is not None:
            row[engine.LATTICE_INDEX] = len(self._lattices)
            self._lattices.append(gate.lattice)
        self._gates.append(row)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gates, dimensions and limits."""
        return (
            np.array(self._gates, dtype=np.int64).reshape(-1, engine.GATE_COLUMNS),
            np.array(self._dims, dtype=np.int64).reshape(-1, 2),
            np.array(self._limits, dtype=np.float64).reshape(-1, 3),
        )

    def shapes(self) -> tuple[np.ndarray, ...]:
        """Borders, scales, tables and cells of lattices; vertices, ellipsoids and operands."""
        found = self._lattices
        return (
            np.array([part.borders for part in found], dtype=np.float64).reshape(-1, 2, lattice.LATTICE + 1),
            np.array([part.scales for part in found], dtype=np.float64).reshape(-1, 2, lattice.SCALE_COLUMNS),
            np.array([part.tables for part in found], dtype=np.uint16).reshape(-1, 2, lattice.BUCKETS),
            np.array([part.cells for part in found], dtype=np.uint8).reshape(-1, lattice.SIDE * lattice.SIDE),
            np.concatenate([np.empty((0, 2)), *self._vertices]),
            np.concatenate([np.empty(0), *self._ellipsoids]),
            np.array(self._operands, dtype=np.int64).reshape(-1, 2),
        )
