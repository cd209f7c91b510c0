"""Spillover matrices: who leaks into which detector, and how to take it back."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from il2cyto.errors import CompensationError
from il2cyto.kernels import compensate as kernel
from il2cyto.provenance import hash_content

FloatArray = NDArray[np.float64]

#: Prefixes that instruments and programs give to channels that are compensated already.
COMPENSATED_PREFIXES = ("Comp-", "FJComp-")

#: First cell of the header of a matrix file whose rows have names of their own.
FLUOROCHROME = "fluorochrome"


@dataclass(frozen=True)
class SpilloverMatrix:
    """Spillover of fluorochromes (rows) into detectors (columns).

    The signal of a cell with true intensities ``t`` is ``t @ values``; compensation solves that for ``t``, by least
    squares where there are more detectors than fluorochromes.

    Parameters
    ----------
    id
        Name by which gates refer to the matrix.
    detectors
        ``$PnN`` of the columns.
    values
        float64 ``(n_fluorochromes, n_detectors)``; the diagonal of a square matrix is usually 1.
    fluorochromes
        Names of the rows; those of the detectors for a square matrix.

    Raises
    ------
    CompensationError
        If shapes do not fit, a name stands twice, a value is not finite, or the matrix cannot be solved.
    """

    id: str
    detectors: tuple[str, ...]
    values: FloatArray = field(repr=False, compare=False)
    fluorochromes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64) + 0.0  # the zero of a matrix has no sign
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "fluorochromes", self.fluorochromes or self.detectors)
        shape = (len(self.fluorochromes), len(self.detectors))
        if values.shape != shape or not shape[0]:
            raise self._wrong(f"{values.shape} values for {shape[0]} × {shape[1]} names")
        for what, names in (("detector", self.detectors), ("fluorochrome", self.fluorochromes)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise self._wrong("{what} {found!r} stands twice", what=what, found=twice[0])
        if not np.isfinite(values).all():
            raise self._wrong("holds a value that is not finite")
        if shape[0] > shape[1]:
            raise self._wrong(f"{shape[0]} fluorochromes cannot be told apart by {shape[1]}")
        if np.linalg.matrix_rank(values) < shape[0]:
            raise self._wrong("is singular, so it cannot be solved")

    def _wrong(self, message: str, **values: object) -> CompensationError:
        return CompensationError("matrix {id!r}: " + message, id=self.id, **values)

    @cached_property
    def weights(self) -> FloatArray:
        """Rows that give each fluorochrome from the detectors, float64 ``(n_fluorochromes, n_detectors)``.

        Row `k` solves ``values @ w = e_k`` (the least-norm solution of a wide system is the least-squares unmixing), by
        LU or QR, refined once with residuals in extended precision; there is no explicit inverse.
        """
        identity = np.eye(len(self.fluorochromes))
        if len(self.fluorochromes) == len(self.detectors):
            rows = np.linalg.solve(self.values, identity)
            residual = identity - self.values.astype(np.longdouble) @ rows.astype(np.longdouble)
            rows = rows + np.linalg.solve(self.values, residual.astype(np.float64))
        else:
            q, r = np.linalg.qr(self.values.T)
            rows = np.linalg.solve(r, q.T).T
        weights = np.ascontiguousarray(rows.T)
        weights.setflags(write=False)
        return weights

    def compensate(self, events: ArrayLike) -> FloatArray:
        """Return compensated intensities.

        Parameters
        ----------
        events
            Linear-scale values ``(n_events, n_detectors)``, columns in the order of `detectors`.

        Returns
        -------
        float64 ``(n_events, n_fluorochromes)``.

        Raises
        ------
        CompensationError
            If the number of columns differs from that of the detectors.

        Examples
        --------
        >>> matrix = SpilloverMatrix("m", ("A", "B"), np.array([[1.0, 0.25], [0.0, 1.0]]))
        >>> matrix.compensate([[100.0, 25.0]])
        array([[100.,   0.]])
        """
        values = np.ascontiguousarray(events, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.detectors):
            raise self._wrong(f"wants events with {len(self.detectors)} columns, got shape {values.shape}")
        return np.asarray(kernel.all_channels(values, self.weights), dtype=np.float64)

    def spill(self, intensities: ArrayLike) -> FloatArray:
        """Return what the detectors see of true intensities ``(n_events, n_fluorochromes)``."""
        return np.asarray(intensities, dtype=np.float64) @ self.values

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of names and values."""
        return hash_content([self.detectors, self.fluorochromes, self.values.tolist()])

    @classmethod
    def from_csv(cls, path: str | Path, matrix_id: str | None = None) -> SpilloverMatrix:
        """Read a matrix: a header of detectors (``$PnN``), then one row of numbers per fluorochrome.

        A square matrix may have a first column of row names, below an empty cell of the header; it must repeat the
        header, in any order, and rows are re-indexed by it. Below a cell that says ``fluorochrome`` the first column
        names the rows, and there may be fewer of them than detectors: then fluorochromes are unmixed by least squares.

        Raises
        ------
        CompensationError
            If the file cannot be read, or names and numbers do not fit.

        Examples
        --------
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "dyes.csv"
        >>> _ = path.write_text("fluorochrome,V1-A,V2-A,B1-A\\nBV421,1,0.4,0\\nFITC,0,0.1,1\\n")
        >>> SpilloverMatrix.from_csv(path)
        SpilloverMatrix(id='dyes', detectors=('V1-A', 'V2-A', 'B1-A'), fluorochromes=('BV421', 'FITC'))
        """
        path = Path(path)
        try:
            lines = [row for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()) if any(row)]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise _unreadable(path, ": cannot be read as a UTF-8 matrix{hint}", hint=f": {error}") from error
        if len(lines) < 2:
            raise _unreadable(path, ": wanted a header of channel names and rows of numbers")
        header, body = [cell.strip() for cell in lines[0]], lines[1:]
        dyes = header[0].lower() == FLUOROCHROME
        named = dyes or not header[0] or len(body[0]) == len(header) + 1
        columns = header[1:] if dyes or not header[0] else header
        rows: list[list[float]] = []
        names: list[str] = []
        for number, row in enumerate(body, start=2):
            cells = row[1:] if named else row
            if len(cells) != len(columns):
                raise _unreadable(path, f", line {number}: {len(cells)} numbers for {len(columns)} channels")
            try:
                rows.append([float(cell) for cell in cells])
            except ValueError as error:
                raise _unreadable(
                    path, ", line {line}: {found}; wanted a plain number", line=number, found=error
                ) from error
            names.append(row[0].strip() if named else "")
            if dyes and not names[-1]:
                raise _unreadable(path, f", line {number}: the fluorochrome has no name")
        values = np.array(rows)
        if named and not dyes:
            if sorted(names) != sorted(columns):
                raise _unreadable(
                    path, ": row names {found} are not the channels of the header; if they are fluorochromes, the "
                    "header must begin with the word fluorochrome", found=names,
                )  # fmt: skip
            values = values[[names.index(column) for column in columns]]
        return cls(matrix_id or path.stem, tuple(columns), values, tuple(names) if dyes else ())

    def to_table(self) -> list[list[str]]:
        """Return header and rows as `from_csv` reads them, with every digit of the numbers."""
        rows = [[repr(int(x)) if x == int(x) else repr(x) for x in row] for row in self.values.tolist()]
        if self.fluorochromes == self.detectors:
            return [list(self.detectors), *rows]
        named = [[name, *row] for name, row in zip(self.fluorochromes, rows, strict=True)]
        return [[FLUOROCHROME, *self.detectors], *named]

    @classmethod
    def from_keyword(cls, text: str, matrix_id: str = "FCS") -> SpilloverMatrix:
        """Parse ``n,name1,…,namen,s11,s12,…`` as FCS 3.1 writes ``$SPILLOVER``.

        Raises
        ------
        CompensationError
            If counts, names and numbers do not fit.
        """
        parts = [part.strip() for part in text.replace("\n", "").replace("\r", "").split(",")]
        try:
            n = int(parts[0])
        except ValueError as error:
            raise CompensationError(
                "$SPILLOVER starts with {found!r}, wanted the number of channels", found=parts[0]
            ) from error
        if n < 1 or len(parts) != 1 + n + n * n:
            raise CompensationError(
                "$SPILLOVER announces {n} channels but holds {items} further items", n=n, items=len(parts) - 1
            )
        try:
            values = np.array([float(part) for part in parts[1 + n :]]).reshape(n, n)
        except ValueError as error:
            raise CompensationError("$SPILLOVER holds something that is no number: {found}", found=error) from error
        return cls(matrix_id, tuple(parts[1 : 1 + n]), values)


def _unreadable(path: Path, message: str, **values: object) -> CompensationError:
    return CompensationError("{matrix_file}" + message, matrix_file=path.name, **values)
