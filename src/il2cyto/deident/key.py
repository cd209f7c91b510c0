"""The secret key: pseudonyms and date offsets are functions of it, and of nothing else."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from il2cyto.errors import OutputError, ParameterError

#: Letters of Crockford's base 32: no I, L, O, U, which are mistaken for others or spell words.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 32
MAX_SHIFT = 364
_LARGEST = 1024
_DOMAIN = "il2cyto deidentify 1"


@dataclass(frozen=True, repr=False)
class Key:
    """At least 32 secret bytes.

    Examples
    --------
    >>> key = Key(bytes(range(32)))
    >>> key.code("subject", "P001", 13) == key.code("subject", "P001", 13)
    True
    >>> key.code("subject", "P001", 13) == key.code("tube", "P001", 13)
    False
    """

    secret: bytes

    def __post_init__(self) -> None:
        if len(self.secret) < LENGTH:
            raise ParameterError(f"a key needs at least {LENGTH} bytes; make one with --new-key")

    def __repr__(self) -> str:
        return f"Key(fingerprint={self.fingerprint!r})"

    def digest(self, domain: str, text: str) -> bytes:
        """Return HMAC-SHA256 of a text; different domains never share a value."""
        message = "\0".join((_DOMAIN, domain, text)).encode("utf-8", "surrogatepass")
        return hmac.new(self.secret, message, hashlib.sha256).digest()

    def code(self, domain: str, text: str, length: int) -> str:
        """Return the first `length` characters (5 bits each) of the digest in Crockford's base 32."""
        number = int.from_bytes(self.digest(domain, text), "big") >> (256 - 5 * length)
        return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))

    def shift(self, subject: str) -> int:
        """Return the days, 1 to 364, by which every date of a subject is moved into the past."""
        return 1 + int.from_bytes(self.digest("shift", subject), "big") % MAX_SHIFT

    @property
    def fingerprint(self) -> str:
        """Sixteen characters that tell keys apart and say nothing about them."""
        return self.code("fingerprint", "", 16)


def new_key(path: str | Path) -> Key:
    """Write a new random key that only its owner may read.

    Raises
    ------
    OutputError
        If something is there already, or the file cannot be written.
    """
    path = Path(path)
    secret = secrets.token_bytes(LENGTH)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise OutputError(f"{path} exists; a key is never overwritten, what it made would be lost") from error
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}; choose another place") from error
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(secret.hex() + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    return Key(secret)


def read_key(path: str | Path) -> Key:
    """Read a key: hexadecimal digits as `new_key` writes them, or 32 to 1024 raw bytes.

    Raises
    ------
    ParameterError
        If the file cannot be read, is no key, or others than its owner may read it.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except OSError as error:
        raise ParameterError(f"{path}: the key cannot be read ({error.strerror}); make one with --new-key") from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ParameterError(f"{path}: others may read this key; run: chmod 600 {path}")
    if not LENGTH <= len(content) <= _LARGEST:
        raise ParameterError(f"{path}: {len(content)} bytes are no key (wanted 32 to {_LARGEST}); make one: --new-key")
    try:
        secret = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        secret = content
    if len(secret) < LENGTH or len(set(secret)) < LENGTH // 3:
        raise ParameterError(f"{path}: this is no random key of at least {LENGTH} bytes; make one with --new-key")
    return Key(secret)
