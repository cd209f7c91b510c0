"""The gating strategies that come with il2cyto."""

from __future__ import annotations

from pathlib import Path

from il2cyto.errors import StrategyError
from il2cyto.study.findings import hint, one_of


def packaged_folder() -> Path:
    """Return the folder of the packaged strategies: inside an installed wheel, or ``gating/`` of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_data" / "gating"
    return installed if installed.is_dir() else package.parents[1] / "gating"


def packaged_strategies() -> list[str]:
    """Return the names of the packaged strategies, sorted."""
    folder = packaged_folder()
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if (entry / "strategy.yaml").is_file())


def packaged_strategy(name: str) -> Path:
    """Return the folder of a packaged strategy.

    Raises
    ------
    StrategyError
        If no packaged strategy has this name; the message lists those that exist.
    """
    names = packaged_strategies()
    if name not in names:
        known = f"; there are: {one_of(names)}" if names else "; this installation has none"
        raise StrategyError(f"no packaged strategy is called {name!r}{hint(name, names)}{known}")
    return packaged_folder() / name
