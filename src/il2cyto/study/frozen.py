"""A read-only mapping that workers can receive: ``types.MappingProxyType`` cannot be pickled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, NoReturn, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class FrozenMapping(Mapping[K, V], Generic[K, V]):
    """A copy of a mapping that keeps its order and refuses every change.

    Examples
    --------
    >>> visits = FrozenMapping({"BL": 0, "M1": 1})
    >>> list(visits), visits["M1"]
    (['BL', 'M1'], 1)
    >>> visits["M3"] = 2
    Traceback (most recent call last):
    ...
    TypeError: 'FrozenMapping' object does not support item assignment
    """

    __slots__ = ("_data",)

    _data: dict[K, V]

    def __init__(self, data: Mapping[K, V]) -> None:
        object.__setattr__(self, "_data", dict(data))

    def __getitem__(self, key: K) -> V:
        return self._data[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"FrozenMapping is read-only: {name!r} cannot be set")

    def __reduce__(self) -> tuple[type[FrozenMapping[K, V]], tuple[dict[K, V]]]:
        return FrozenMapping, (dict(self._data),)

    def __repr__(self) -> str:
        return f"FrozenMapping({self._data!r})"
