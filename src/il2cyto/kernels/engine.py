"""The gating engine: one pass over blocks of events, from stored bytes to bit-packed membership.

A strategy arrives as flat tables (made by `il2cyto.gating.plan`). For each block the needed channels are decoded once;
each gate then visits only the events inside its parent, and asks for compensated values of those events only.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from il2cyto.kernels.decode import column
from il2cyto.kernels.lattice import (
    CELL_EDGE,
    CELL_IN,
    CELL_MIXED,
    CELL_OUT,
    UNDEFINED,
    all_defined,
    cell_states,
    divided_state,
    fill_buckets,
)
from il2cyto.kernels.shapes import crossing_parity, quadratic_form
from il2cyto.kernels.transform import forward

RECTANGLE, POLYGON, ELLIPSOID, BOOLEAN = range(4)
COMPENSATED, RATIO = range(2)
AND, OR, NOT = range(3)
#: Columns of the gate table. FIRST and COUNT point into the dimensions, or into the operands of a boolean.
TYPE, PARENT, COMPLEMENT, FIRST, COUNT, OPERATION, SHAPE_FIRST, SHAPE_COUNT, LATTICE_INDEX = range(9)
GATE_COLUMNS = 9
#: Columns of the tables of dimensions.
AXIS, TRANSFORM = range(2)
LOW, HIGH, DOMAIN = range(3)

BLOCK = 1024
#: Events decoded at a time, so that their bytes stay in the fastest cache while every channel is taken from them.
TILE = 256


@njit(cache=True, nogil=True)
def _box_states(x, low, high, domain, members, total, m, states):
    """Mark events outside the limits of one dimension as out, and those without a defined value as undefined.

    An open side is NaN, and no comparison with NaN holds.
    """
    if 8 * total > m:
        # vectors of events, members or not
        for e in range(m):
            value = x[e]
            out = (value < low) | (value >= high)
            state = min(states[e], np.int8(CELL_OUT)) if out else states[e]
            states[e] = state if value >= domain else np.int8(UNDEFINED)
    else:
        for t in range(total):
            e = members[t]
            value = x[e]
            out = (value < low) | (value >= high)
            state = min(states[e], np.int8(CELL_OUT)) if out else states[e]
            states[e] = state if value >= domain else np.int8(UNDEFINED)


@njit(cache=True, nogil=True)
def _undefined_states(x, domain, members, total, states):
    for t in range(total):
        e = members[t]
        if not x[e] >= domain:
            states[e] = UNDEFINED


@njit(cache=True, nogil=True)
def _pack(flags, m, out, first):
    """Pack one byte per event, 0 or 1, into bits; `flags` is 0 up to the next multiple of 8."""
    for k in range((m + 7) >> 3):
        at = 8 * k
        out[first + k] = (
            (flags[at] << np.uint8(7))
            | (flags[at + 1] << np.uint8(6))
            | (flags[at + 2] << np.uint8(5))
            | (flags[at + 3] << np.uint8(4))
            | (flags[at + 4] << np.uint8(3))
            | (flags[at + 5] << np.uint8(2))
            | (flags[at + 6] << np.uint8(1))
            | flags[at + 7]
        )


@njit(cache=True, nogil=True)
def _compensate(row, members, total, m, values, ready, whole, weights, slots):
    """Fill one compensated axis for the members of a gate, or for all events where that is quicker."""
    n = weights.shape[0]
    # eight events at once in vectors cost what one event costs alone
    if 8 * total > m:
        for i in range(m):
            values[row, i] = 0.0
        target = values[row]
        # four detectors at a time, added one after the other: the same sum, with a quarter of the stores
        for j in range(0, n - 3, 4):
            w0, w1, w2, w3 = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
            s0, s1, s2, s3 = values[slots[j]], values[slots[j + 1]], values[slots[j + 2]], values[slots[j + 3]]
            for i in range(m):
                target[i] = (((target[i] + w0 * s0[i]) + w1 * s1[i]) + w2 * s2[i]) + w3 * s3[i]
        for j in range(n - n % 4, n):
            w = weights[j]
            source = values[slots[j]]
            for i in range(m):
                target[i] += w * source[i]
        whole[row] = 1
        return
    for t in range(total):
        e = members[t]
        if ready[row, e] == 0:
            value = 0.0
            for j in range(n):
                value += weights[j] * values[slots[j], e]
            values[row, e] = value
            ready[row, e] = 1


@njit(cache=True, nogil=True)
def run(
    data, stride, base_event, first_event, stop_event, position, width, kind, mask, order, scale, argument, offset,
    needed, axis_kind, axis_source, axis_constants, weights, weight_slots,
    gates, dims, limits, transform_kind, transform_first, parameters,
    borders, scales, cell_tables, cells, vertices, ellipsoids, operands,
    packed, counts, undefined,
):  # fmt: skip
    """Gate events ``first_event .. stop_event``.

    Parameters
    ----------
    data … offset
        The bytes of the events and their layout (see `RowLayout`).
    base_event
        The event that `data` begins with.
    first_event, stop_event
        `first_event` a multiple of 8, so that threads with ranges of their own never share a byte of `packed`.
    needed
        Channels to decode. Axis `s` is channel ``needed[s]``; further axes are compensated values and ratios.
    axis_kind, axis_source, axis_constants
        For each further axis its kind; the row of `weights`, or the two axes of a ratio; A, B, C of a ratio.
    weights, weight_slots
        Rows of compensation weights and the slots that they apply to, padded with weight 0 on slot 0 … never read
        beyond ``axis_source[:, 1]`` entries.
    gates, dims, limits
        Tables with the columns named above; gates in topological order.
    operands
        Gate and complement flag of each operand.
    packed
        Out: uint8 ``(n_gates, ceil(n / 8))``, bit 7 first as in `numpy.packbits`.
    counts, undefined
        Out: int64 ``(n_gates,)``: events inside, and parent events with an undefined coordinate.
    """
    n_slots = needed.shape[0]
    n_axes = n_slots + axis_kind.shape[0]
    n_gates = gates.shape[0]
    # 8 more columns, so that rows do not share cache sets
    values = np.empty((n_axes, BLOCK + 8), np.float64)
    ready = np.zeros((n_axes, BLOCK), np.uint8)
    whole = np.zeros(n_axes, np.uint8)
    whole[:n_slots] = 1
    inside = np.empty((n_gates + 1, BLOCK), np.int32)
    size = np.zeros(n_gates + 1, np.int64)
    flags = np.zeros((n_gates, BLOCK), np.uint8)
    states = np.empty(BLOCK, np.int8)
    bucket_x = np.empty(BLOCK, np.int32)
    bucket_y = np.empty(BLOCK, np.int32)
    point = np.empty(max(1, dims.shape[0]), np.float64)
    for i in range(BLOCK):
        inside[n_gates, i] = i

    for start in range(first_event, stop_event, BLOCK):
        m = min(BLOCK, stop_event - start)
        for tile in range(0, m, TILE):
            n_tile = min(TILE, m - tile)
            for s in range(n_slots):
                c = needed[s]
                column(
                    data, stride, start - base_event + tile, n_tile, position[c], width[c], kind[c], mask[c], order[c],
                    scale[c], argument[c], offset[c], values[s, tile:],
                )  # fmt: skip
        for a in range(n_slots, n_axes):
            whole[a] = 0
            ready[a, :m] = 0
        size[n_gates] = m

        for g in range(n_gates):
            parent = gates[g, PARENT] if gates[g, PARENT] >= 0 else n_gates
            members = inside[parent]
            total = size[parent]
            first = gates[g, FIRST]
            number = gates[g, COUNT]
            shape = gates[g, TYPE]
            flip = gates[g, COMPLEMENT] != 0
            kept = 0
            lost = 0

            if shape != BOOLEAN and total > 0:
                for d in range(first, first + number):
                    row = dims[d, AXIS]
                    if whole[row]:
                        continue
                    a = row - n_slots
                    ratio = axis_kind[a] == RATIO
                    # one call, since each is compiled anew
                    for k in range(2 if ratio else 1):
                        part = axis_source[a, k] if ratio else row
                        if part >= n_slots and not whole[part]:
                            w = axis_source[part - n_slots, 0]
                            n = axis_source[part - n_slots, 1]
                            _compensate(
                                part, members, total, m, values, ready, whole, weights[w, :n], weight_slots[w, :n]
                            )
                    if ratio:
                        upper, lower = values[axis_source[a, 0]], values[axis_source[a, 1]]
                        for t in range(total):
                            e = members[t]
                            above = upper[e] - axis_constants[a, 1]
                            below = lower[e] - axis_constants[a, 2]
                            if below != 0.0:
                                values[row, e] = axis_constants[a, 0] * (above / below)
                            elif above == 0.0 or above != above:
                                values[row, e] = np.nan
                            else:
                                values[row, e] = axis_constants[a, 0] * above * np.inf

            if shape == BOOLEAN:
                operation = gates[g, OPERATION]
                for t in range(total):
                    e = members[t]
                    result = operation == AND
                    for k in range(first, first + number):
                        part_in = (flags[operands[k, 0], e] != 0) != (operands[k, 1] != 0)
                        if operation == AND:
                            result = result and part_in
                        elif operation == OR:
                            result = result or part_in
                        else:
                            result = not part_in
                    if result != flip:
                        inside[g, kept] = e
                        kept += 1
            else:
                shape_first = gates[g, SHAPE_FIRST]
                lattice = gates[g, LATTICE_INDEX]
                if lattice >= 0:
                    x, y = values[dims[first, AXIS]], values[dims[first + 1, AXIS]]
                    fill_buckets(x, members, total, m, scales[lattice, 0], bucket_x)
                    fill_buckets(y, members, total, m, scales[lattice, 1], bucket_y)
                    cell_states(
                        bucket_x, bucket_y, members, total, cell_tables[lattice, 0], cell_tables[lattice, 1],
                        cells[lattice], states,
                    )  # fmt: skip
                    for d in range(first, first + 2):
                        if not all_defined(values[dims[d, AXIS]], limits[d, DOMAIN], members, total, m):
                            _undefined_states(values[dims[d, AXIS]], limits[d, DOMAIN], members, total, states)
                else:
                    states[:m] = CELL_IN if shape == RECTANGLE else CELL_EDGE
                    for d in range(first, first + number):
                        _box_states(
                            values[dims[d, AXIS]], limits[d, LOW], limits[d, HIGH], limits[d, DOMAIN],
                            members, total, m, states,
                        )  # fmt: skip
                for t in range(total):
                    e = members[t]
                    state = states[e]
                    if state == CELL_MIXED:
                        state = divided_state(
                            values[dims[first, AXIS], e], values[dims[first + 1, AXIS], e],
                            borders[lattice], cells[lattice],
                        )  # fmt: skip
                    result = state == CELL_IN
                    if state == UNDEFINED:
                        lost += 1
                    elif state == CELL_EDGE:
                        for k in range(number):
                            d = first + k
                            f = dims[d, TRANSFORM]
                            point[k] = forward(
                                transform_kind[f], parameters, transform_first[f], values[dims[d, AXIS], e]
                            )
                        if shape == POLYGON:
                            result = crossing_parity(point[0], point[1], vertices, shape_first, gates[g, SHAPE_COUNT])
                        else:
                            last = shape_first + number + number * number
                            result = quadratic_form(point, ellipsoids, shape_first, number) <= ellipsoids[last]
                    inside[g, kept] = e
                    kept += np.int64(result != flip)

            size[g] = kept
            counts[g] += kept
            undefined[g] += lost
            flags[g, : (m + 7) & ~7] = 0
            for t in range(kept):
                flags[g, inside[g, t]] = 1
            _pack(flags[g], m, packed[g], start >> 3)
