"""Bring batches onto one scale: learnt from control donors, applied as a recorded step, raw values kept."""
