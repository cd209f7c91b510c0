"""Tell what program wrote an XML file."""

from __future__ import annotations

from typing import Literal

from lxml import etree

from il2cyto.errors import StrategyError
from il2cyto.exchange.xml import attribute, children, local

Kind = Literal["flowjo", "flowjo9", "flowjo7", "diva", "other"]

#: ``version`` of the root. 2.0 and 3.0 are the Mac's until FlowJo 9, 1.6 and 1.61 those of FlowJo 7 for Windows (the
#: list of CytoML); 1.8 and 20.0 are FlowJo 10, on both.
_BY_VERSION: dict[str, Kind] = {
    "2.0": "flowjo9", "3.0": "flowjo9", "1.6": "flowjo7", "1.61": "flowjo7", "1.8": "flowjo", "20.0": "flowjo"
}  # fmt: skip


def recognise(root: etree._Element) -> Kind:
    """Return the kind of a file by its root.

    FlowJo 10 writes ``Workspace`` of version 20.0 (1.8 in its first years) with a ``DataSet`` in each sample, on
    Windows and on the Mac alike; earlier ones write other structures under the same name.
    """
    if local(root) == "bdfacs":
        return "diva"
    if local(root) != "Workspace":
        return "other"
    major = (attribute(root, "flowJoVersion") or "").partition(".")[0]
    if major.isdecimal() and int(major) >= 10:
        return "flowjo"
    known = _BY_VERSION.get(attribute(root, "version") or "")
    if known is not None:
        return known
    samples = [sample for part in children(root, "SampleList") for sample in children(part, "Sample")]
    return "flowjo" if any(True for sample in samples for _ in children(sample, "DataSet")) else "flowjo9"


def refuse(name: str) -> StrategyError:
    """Return the error for a workspace of FlowJo 7 for Windows, the one form that is recognised and not read."""
    return StrategyError(
        "{strategy_file}: is a workspace of FlowJo 7 for Windows, whose scales stand elsewhere and are not read. Open "
        "it in FlowJo 10 and save it as a .wsp workspace",
        strategy_file=name,
    )
