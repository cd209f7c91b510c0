"""Bead arrays on a flow cytometer: which bead carries which analyte, and the signal of each."""

from il2cyto.beads.find import BeadGates, assign_beads, find_beads
from il2cyto.beads.panel import Bead, BeadPanel, read_bead_panel
from il2cyto.beads.picture import BeadPicture, bead_picture
from il2cyto.beads.read import BeadEvents, bead_plate, learn_beads, read_events

__all__ = [
    "Bead",
    "BeadEvents",
    "BeadGates",
    "BeadPanel",
    "BeadPicture",
    "assign_beads",
    "bead_picture",
    "bead_plate",
    "find_beads",
    "learn_beads",
    "read_bead_panel",
    "read_events",
]
