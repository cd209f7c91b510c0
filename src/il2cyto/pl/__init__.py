"""Pictures: the gates of a tube, one gate in many tubes, trajectories by arm, a forest plot, a map and a network of
correlations;
courses, shifts and changes of subjects, the flow of subjects, a course under doses; the tree of a strategy.

Functions draw with matplotlib's object interface: nothing is shown, saved or made current. Single pictures take
``ax=``; pictures of several panels make their own figure. `tree` alone gives the text of an SVG file.
"""

from il2cyto.pl.correlations import correlations
from il2cyto.pl.courses import courses
from il2cyto.pl.flow import flow
from il2cyto.pl.forest import forest
from il2cyto.pl.gates import gate, gates
from il2cyto.pl.network import network
from il2cyto.pl.oddness import tube_oddness
from il2cyto.pl.sheet import contact_sheet
from il2cyto.pl.shift import shift
from il2cyto.pl.trajectories import trajectories, trajectory
from il2cyto.pl.tree import tree
from il2cyto.pl.turnover import turnover
from il2cyto.pl.waterfall import waterfall

__all__ = [
    "contact_sheet",
    "correlations",
    "courses",
    "flow",
    "forest",
    "gate",
    "gates",
    "network",
    "shift",
    "trajectories",
    "trajectory",
    "tree",
    "tube_oddness",
    "turnover",
    "waterfall",
]
