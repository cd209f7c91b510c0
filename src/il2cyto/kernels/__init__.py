"""Compiled loops over plain arrays. Nothing here knows a file, a gate object or a table."""
