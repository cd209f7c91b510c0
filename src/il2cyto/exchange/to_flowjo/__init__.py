"""Pieces of a FlowJo 10 workspace, for writing."""
