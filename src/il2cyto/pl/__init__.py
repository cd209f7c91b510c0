"""Pictures with matplotlib: the gates of a tube, one gate in many tubes, trajectories by arm, a forest plot.

Every function draws with matplotlib's object interface: nothing is shown, saved or made current. Single pictures take
``ax=``; pictures of several panels make their own figure.
"""

from il2cyto.pl.forest import forest
from il2cyto.pl.gates import gate, gates
from il2cyto.pl.oddness import tube_oddness
from il2cyto.pl.sheet import contact_sheet
from il2cyto.pl.trajectories import trajectories, trajectory

__all__ = ["contact_sheet", "forest", "gate", "gates", "trajectories", "trajectory", "tube_oddness"]
