"""Read a file with gates and samples of any program that we know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lxml import etree

from il2cyto.exchange.diva import read_experiment
from il2cyto.exchange.flowjo.model import Workspace
from il2cyto.exchange.flowjo.read import read_workspace
from il2cyto.exchange.flowjo.recognise import recognise, refuse
from il2cyto.exchange.flowjo.shapes import Binning
from il2cyto.exchange.flowjo9 import read_mac_workspace
from il2cyto.exchange.xml import parse_xml


def is_workspace(root: etree._Element) -> bool:
    """Whether a file holds samples with gates: a workspace of FlowJo or an experiment of FACSDiva."""
    return recognise(root) != "other"


def read_any_workspace(path: str | Path, *, binning: Binning = "exact", name: str | None = None) -> Workspace:
    """Read a workspace of FlowJo 10 or FlowJo 9, or an experiment of FACSDiva.

    Parameters
    ----------
    path
        The file.
    binning
        How polygons and ellipses of FlowJo 10 are gated (see `il2cyto.exchange.flowjo.read_workspace`). The rules of
        the others are not public: they are gated on the values, and a notice says so where ``flowjo`` was wanted.
    name
        Id of the strategies; by default the file's name.

    Raises
    ------
    StrategyError
        If the file is none of these, is unsafe, or does not hold together; names the line.
    """
    path = Path(path)
    kind = recognise(parse_xml(path))
    if kind == "flowjo7":
        raise refuse(path.name)
    if kind not in ("diva", "flowjo9"):
        return read_workspace(path, binning=binning, name=name)
    found = read_experiment(path, name=name) if kind == "diva" else read_mac_workspace(path, name=name)
    if binning == "exact":
        return found
    notice = f"counted on the values: on which channels {found.program} {found.version} counts is not public"
    return replace(found, notices=(*found.notices, notice))
