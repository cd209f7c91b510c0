"""How good one tube is: flow, signal over time, margins, doublets, dead cells, debris, compensation, beads."""
