"""Estimate gates from data: arrays in, an ordinary frozen gate and its uncertainty out.

A method looks at the events of one population in some tubes, on the axes of the gate, and says where the gate
belongs, how sure that is, or that it cannot tell. It never sees counts that it could please, nor arm or visit.
"""
