"""Hashes of inputs and atomic writing of outputs."""

from il2cyto.provenance.atomic import atomic_path, write_bytes, write_text
from il2cyto.provenance.hashing import hash_content, hash_file

__all__ = ["atomic_path", "hash_content", "hash_file", "write_bytes", "write_text"]
