"""The visits object on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from il2cyto.errors import TableError
from il2cyto.provenance import atomic_path
from il2cyto.visits.check import check_visits

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def write_visits(visits: AnnData, path: str | Path) -> None:
    """Write a visits object as ``.h5ad``, atomically; the same content gives the same bytes.

    Raises
    ------
    TableError
        If it is no visits object.
    """
    check_visits(visits)
    write_anndata(visits, path)


def write_anndata(content: AnnData, path: str | Path) -> None:
    """Write an AnnData as ``.h5ad``, atomically; the same content gives the same bytes."""
    # names are written in the order in which they will be read
    ordered = content.copy()
    ordered.uns = _by_name(ordered.uns)
    ordered.obs, ordered.var = plain_text(ordered.obs), plain_text(ordered.var)
    for name in sorted(name for name in ordered.layers if name is not None):  # None is X, since anndata 0.13
        ordered.layers[name] = ordered.layers.pop(name)
    with atomic_path(path) as temporary:
        # text stays text: as categories, arms and visits would come back in another order than they went
        ordered.write_h5ad(temporary, convert_strings_to_categoricals=False)


def read_visits(path: str | Path) -> AnnData:
    """Read a visits object and check it.

    Raises
    ------
    TableError
        If the file cannot be read, or holds no visits object.
    """
    import anndata

    try:
        visits = anndata.read_h5ad(path)
    except (OSError, KeyError) as why:
        raise TableError(f"{Path(path).name} cannot be read as .h5ad: {why}") from why
    check_visits(visits)
    return visits


def plain_text(table: pd.DataFrame) -> pd.DataFrame:
    """Text columns and the index as Python strings, so that every release of pandas writes the same file."""
    import pandas as pd

    texts = [name for name in table if isinstance(table[name].dtype, pd.StringDtype)]
    plain = table.astype(dict.fromkeys(texts, object))
    return plain.set_axis(pd.Index(plain.index.to_numpy(dtype=object), dtype=object), axis="index")


def _by_name(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _by_name(value) if isinstance(value, Mapping) else value for name, value in sorted(content.items())}
