"""Tell what program wrote an XML file, and say what to do with those that cannot be read."""

from __future__ import annotations

from typing import Literal

from lxml import etree

from il2cyto.errors import StrategyError
from il2cyto.exchange.xml import attribute, children, local

Kind = Literal["flowjo", "flowjo-old", "diva", "other"]


def recognise(root: etree._Element) -> Kind:
    """Return the kind of a file by its root.

    FlowJo 10 writes ``Workspace`` of version 20.0 (1.8 in its first years) with a ``DataSet`` in each sample, on
    Windows and on the Mac alike; FlowJo 9 and earlier write another structure under the same name.
    """
    if local(root) == "bdfacs":
        return "diva"
    if local(root) != "Workspace":
        return "other"
    version = attribute(root, "version") or ""
    program = attribute(root, "flowJoVersion") or ""
    samples = [sample for part in children(root, "SampleList") for sample in children(part, "Sample")]
    with_data = any(True for sample in samples for _ in children(sample, "DataSet"))
    major = program.partition(".")[0]
    if (major.isdigit() and int(major) >= 10) or version in ("20.0", "1.8") or with_data:
        return "flowjo"
    return "flowjo-old"


def refuse(kind: Kind, name: str) -> StrategyError:
    """Return the error for a file that is recognised and cannot be read."""
    if kind == "diva":
        return StrategyError(
            "{strategy_file}: is an experiment of BD FACSDiva; its gates stand on display scales whose definition is "
            "not public. Import the experiment into FlowJo 10 and save a .wsp workspace, or export Gating-ML 2.0",
            strategy_file=name,
        )
    return StrategyError(
        "{strategy_file}: is a workspace of FlowJo 9 or earlier, whose format is not public. Open it in FlowJo 10 and "
        "save it as a .wsp workspace",
        strategy_file=name,
    )
