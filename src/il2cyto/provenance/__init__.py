"""Hashes of inputs, atomic writing of outputs, and locks."""

from il2cyto.provenance.atomic import atomic_path, no_room, sweep, write_bytes, write_text
from il2cyto.provenance.hashing import hash_content, hash_file

__all__ = ["atomic_path", "hash_content", "hash_file", "no_room", "sweep", "write_bytes", "write_text"]
