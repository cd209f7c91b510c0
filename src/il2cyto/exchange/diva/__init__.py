"""Experiments of BD FACSDiva.

BD does not publish the structure. What stands here rests on programs that read these files, and on one experiment that
CytoML holds as an example (``PE_2.xml``, FACSDiva 6.1.3):

- **CytoML** (``diva2GatingSet.R``): specimens and tubes, gates with their parents, the three kinds of regions, AND, OR
  and NOT, the biexponential scale ("the equation suggested by BD engineer"), logarithmic coordinates, 4 or 5 decades,
  and that the coefficients of compensation are the inverse of the spillover matrix.
- **GateLab** reads the same scale and the same compensation; its tests state that 18 populations of one experiment come
  within 4 % or 8 events of FACSDiva's counts, and its vertices within 1.5 % of those that FlowJo made of them.
- **The example**: snap-to and "rest of" gates, quadrants. The counts of the four quadrants add up to that of their
  parent, so events beyond a display belong to its edge.

No experiment of FACSDiva came with its FCS files, so nothing was compared with FACSDiva here; every strategy says so.
"""

from __future__ import annotations

from il2cyto.exchange.diva.read import read_experiment

__all__ = ["read_experiment"]
