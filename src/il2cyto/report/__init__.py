"""The report of a study as one self-contained page, and the plain data of its pictures."""

from il2cyto.report.inputs import Arm, AssayTables, ReportInputs, Visit
from il2cyto.report.page import build_report, write_report
from il2cyto.report.plotdata import axis_ticks, gate_picture, picture_range

__all__ = [
    "Arm",
    "AssayTables",
    "ReportInputs",
    "Visit",
    "axis_ticks",
    "build_report",
    "gate_picture",
    "picture_range",
    "write_report",
]
