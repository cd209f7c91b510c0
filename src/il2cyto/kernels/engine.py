"""The gating engine: one pass over blocks of events, from stored bytes to bit-packed membership.

A strategy arrives as flat tables (made by `il2cyto.gating.plan`). For each block the needed channels are decoded once;
each gate then visits only the events inside its parent, and asks for compensated values of those events only.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from il2cyto.kernels.decode import column
from il2cyto.kernels.transform import forward

RECTANGLE, POLYGON, ELLIPSOID, BOOLEAN = range(4)
COMPENSATED, RATIO = range(2)
AND, OR, NOT = range(3)
#: Columns of the gate table. FIRST and COUNT point into the dimensions, or into the operands of a boolean.
TYPE, PARENT, COMPLEMENT, FIRST, COUNT, OPERATION, SHAPE_FIRST, SHAPE_COUNT, LATTICE_INDEX, KEEP = range(10)
GATE_COLUMNS = 10
#: Columns of the tables of dimensions.
AXIS, TRANSFORM = range(2)
LOW, HIGH, DOMAIN = range(3)

BLOCK = 1024
#: Cells per axis of the lattice over a polygon or ellipse; a power of two.
LATTICE = 128
#: Buckets of the first look-up of a cell.
BUCKETS = 2048
#: Events decoded at a time, so that their bytes stay in the fastest cache while every channel is taken from them.
TILE = 256
UNDEFINED, CELL_OUT, CELL_IN, CELL_EDGE = range(-1, 3)


@njit(cache=True, nogil=True)
def crossing_parity(x, y, vertices, first, count):
    """Even–odd rule with half-open edges: a point on a left or lower edge is inside, on a right or upper one not."""
    inside = False
    for i in range(count):
        ax = vertices[first + i, 0]
        ay = vertices[first + i, 1]
        j = i + 1 if i + 1 < count else 0
        bx = vertices[first + j, 0]
        by = vertices[first + j, 1]
        if ay <= y:
            if y < by and (bx - ax) * (y - ay) - (x - ax) * (by - ay) > 0.0:
                inside = not inside
        elif by <= y and (bx - ax) * (y - ay) - (x - ax) * (by - ay) < 0.0:
            inside = not inside
    return inside


@njit(cache=True, nogil=True)
def quadratic_form(point, shape, first, n):
    """``(p - m)ᵀ S⁻¹ (p - m)``; ``shape[first:]`` = mean, inverse covariance row by row."""
    total = 0.0
    for i in range(n):
        turned = 0.0
        for j in range(n):
            turned += (point[j] - shape[first + j]) * shape[first + n + j * n + i]
        total += turned * (point[i] - shape[first + i])
    return total


@njit(cache=True, nogil=True)
def _single_bits(x):
    return np.int64(np.float32(x).view(np.int32))


@njit(cache=True, nogil=True)
def _bucket(x, base, first, shift):
    """Bucket of ``x - base`` by its leading bits as a single: increasing, and finer towards `base`.

    Both the subtraction and the rounding are monotone, so that a larger number never falls into a lower bucket.
    """
    above = x - base
    if not above > 0.0:
        return np.int64(0)
    return min(max((_single_bits(above) >> shift) - first, np.int64(0)), np.int64(BUCKETS))


@njit(cache=True, nogil=True)
def bucket_scale(borders, shift, scale):
    """Fill `scale` (base, first bucket, shift) for the borders of a lattice axis; they may be infinite at the ends."""
    base = np.inf
    top = -np.inf
    for border in borders:
        if np.isfinite(border):
            base = min(base, border)
            top = max(top, border)
    if not base < top:
        base, top = 0.0, 1.0
    scale[0] = base
    scale[1] = max((_single_bits(top - base) >> np.int64(shift)) - BUCKETS + 1, 0)
    scale[2] = shift


@njit(cache=True, nogil=True)
def _box_states(x, low, high, domain, members, total, states):
    """Mark members outside the limits of one dimension as out, and those without a defined value as undefined."""
    for t in range(total):
        value = x[members[t]]
        out = value < low or value >= high
        state = min(states[t], np.int8(CELL_OUT)) if out else states[t]
        states[t] = state if value >= domain else np.int8(UNDEFINED)


@njit(cache=True, nogil=True)
def _lattice_states(
    x, y, members, total, domain_x, domain_y, borders_x, borders_y, scale_x, scale_y, starts_x, starts_y, cells, states
):  # fmt: skip
    """Look up the lattice cell of every member.

    The cell has ``borders[i] <= x < borders[i + 1]`` on both axes. A bucket tells a cell at or below the right one; the
    borders themselves decide, so the answer is exact.
    """
    left, right = borders_x[0], borders_x[LATTICE]
    bottom, top = borders_y[0], borders_y[LATTICE]
    # read once: a store to `states` could change them for all that the compiler knows
    base_x, first_x, shift_x = scale_x[0], np.int64(scale_x[1]), np.int64(scale_x[2])
    base_y, first_y, shift_y = scale_y[0], np.int64(scale_y[1]), np.int64(scale_y[2])
    for t in range(total):
        e = members[t]
        vx, vy = x[e], y[e]
        if vx >= left and vx < right and vy >= bottom and vy < top and vx >= domain_x and vy >= domain_y:
            i = np.int64(starts_x[_bucket(vx, base_x, first_x, shift_x)])
            # mostly the first cell or the second: steps without a branch cost less than a wrong guess
            i += np.int64(borders_x[i + 1] <= vx)
            while borders_x[i + 1] <= vx:
                i += 1
            j = np.int64(starts_y[_bucket(vy, base_y, first_y, shift_y)])
            j += np.int64(borders_y[j + 1] <= vy)
            while borders_y[j + 1] <= vy:
                j += 1
            states[t] = cells[i, j]
        else:
            states[t] = CELL_OUT if vx >= domain_x and vy >= domain_y else UNDEFINED


@njit(cache=True, nogil=True)
def fill_starts(borders, scale, starts):
    """For each bucket a lattice cell at or below every number in it; returns how far a search goes on average."""
    n = LATTICE
    steps = 0
    first, shift = np.int64(scale[1]), np.int64(scale[2])
    low = 0
    for bucket in range(BUCKETS + 1):
        # the border itself may share the bucket with smaller numbers: only borders of lower buckets are surely passed
        while (
            low < n - 1 and np.isfinite(borders[low + 1]) and _bucket(borders[low + 1], scale[0], first, shift) < bucket
        ):
            low += 1
        starts[bucket] = low
    for i in range(n):
        if np.isfinite(borders[i]):
            steps += i - starts[_bucket(borders[i], scale[0], first, shift)]
    return steps / n


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
    borders, scales, starts, cells, vertices, ellipsoids, operands,
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
        Out: zeros, uint8 ``(n_gates, ceil(n / 8))``, bit 7 first as in `numpy.packbits`.
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
                    if axis_kind[a] == COMPENSATED:
                        w = axis_source[a, 0]
                        n = axis_source[a, 1]
                        _compensate(row, members, total, m, values, ready, whole, weights[w, :n], weight_slots[w, :n])
                    else:
                        for k in range(2):
                            part = axis_source[a, k]
                            if part >= n_slots and not whole[part]:
                                w = axis_source[part - n_slots, 0]
                                n = axis_source[part - n_slots, 1]
                                _compensate(
                                    part, members, total, m, values, ready, whole, weights[w, :n], weight_slots[w, :n]
                                )
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
                    at_x = lattice * 2 * (LATTICE + 1)
                    at_y = at_x + LATTICE + 1
                    _lattice_states(
                        values[dims[first, AXIS]], values[dims[first + 1, AXIS]], members, total,
                        limits[first, DOMAIN], limits[first + 1, DOMAIN],
                        borders[at_x : at_x + LATTICE + 1], borders[at_y : at_y + LATTICE + 1],
                        scales[lattice, 0], scales[lattice, 1], starts[lattice, 0], starts[lattice, 1],
                        cells[lattice], states,
                    )  # fmt: skip
                else:
                    states[:total] = CELL_IN if shape == RECTANGLE else CELL_EDGE
                    for d in range(first, first + number):
                        # an open side is NaN, and no comparison with NaN holds
                        _box_states(
                            values[dims[d, AXIS]], limits[d, LOW], limits[d, HIGH], limits[d, DOMAIN],
                            members, total, states,
                        )  # fmt: skip
                for t in range(total):
                    e = members[t]
                    state = states[t]
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
            for t in range(kept):
                e = start + inside[g, t]
                packed[g, e >> 3] |= np.uint8(128 >> (e & 7))
            if gates[g, KEEP]:
                flags[g, :m] = 0
                for t in range(kept):
                    flags[g, inside[g, t]] = 1


@njit(cache=True, nogil=True)
def polygon_cells(x, y, vertices, first, count, out):
    """Classify the cells between the lattice lines `x` and `y` (axis units) against a polygon.

    A cell that an edge touches, with a margin of 1e-9 of the lattice's size, is an edge cell; the others are wholly
    inside or outside.
    """
    n = LATTICE
    margin_x = 1e-9 * (x[n] - x[0])
    margin_y = 1e-9 * (y[n] - y[0])
    for i in range(n):
        for j in range(n):
            out[i, j] = CELL_OUT
    for k in range(count):
        ax, ay = vertices[first + k, 0], vertices[first + k, 1]
        other = first + (k + 1 if k + 1 < count else 0)
        bx, by = vertices[other, 0], vertices[other, 1]
        for i in range(n):
            left, right = x[i] - margin_x, x[i + 1] + margin_x
            if max(ax, bx) < left or min(ax, bx) > right:
                continue
            # the part of the edge above this column of cells
            if ax == bx:
                low, high = min(ay, by), max(ay, by)
            else:
                s0 = min(max((left - ax) / (bx - ax), 0.0), 1.0)
                s1 = min(max((right - ax) / (bx - ax), 0.0), 1.0)
                y0, y1 = ay + s0 * (by - ay), ay + s1 * (by - ay)
                low, high = min(y0, y1), max(y0, y1)
            for j in range(n):
                if high + margin_y >= y[j] and low - margin_y <= y[j + 1]:
                    out[i, j] = CELL_EDGE
    for i in range(n):
        for j in range(n):
            if out[i, j] != CELL_EDGE and crossing_parity(
                0.5 * (x[i] + x[i + 1]), 0.5 * (y[j] + y[j + 1]), vertices, first, count
            ):
                out[i, j] = CELL_IN


@njit(cache=True, nogil=True)
def ellipse_cells(x, y, shape, first, out):
    """Classify lattice cells against an ellipse: inside if all four corners are (it is convex); outside only if it
    does not reach the cell, which holds where the least distance on each border and at the centre is larger."""
    n = LATTICE
    bound = shape[first + 6]
    slack = 1e-9 * bound
    point = np.empty(2, np.float64)
    for i in range(n):
        for j in range(n):
            corners_in = True
            for cx in (x[i], x[i + 1]):
                for cy in (y[j], y[j + 1]):
                    point[0], point[1] = cx, cy
                    if quadratic_form(point, shape, first, 2) > bound - slack:
                        corners_in = False
            if corners_in:
                out[i, j] = CELL_IN
                continue
            reached = x[i] <= shape[first] <= x[i + 1] and y[j] <= shape[first + 1] <= y[j + 1]
            for axis in range(2):
                for fixed in (x[i], x[i + 1]) if axis == 0 else (y[j], y[j + 1]):
                    low, high = (y[j], y[j + 1]) if axis == 0 else (x[i], x[i + 1])
                    free = 1 - axis
                    # along a border the form is a parabola in the free coordinate: its minimum, clamped to the border
                    slope = shape[first + 2 + free * 2 + axis] * (fixed - shape[first + axis])
                    best = shape[first + free] - slope / shape[first + 2 + free * 2 + free]
                    point[axis] = fixed
                    point[free] = min(max(best, low), high)
                    if quadratic_form(point, shape, first, 2) <= bound + slack:
                        reached = True
            out[i, j] = CELL_EDGE if reached else CELL_OUT
