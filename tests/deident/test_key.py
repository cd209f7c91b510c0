from __future__ import annotations

from pathlib import Path

import pytest

from il2cyto.deident.key import ALPHABET, Key, new_key, read_key
from il2cyto.errors import OutputError, ParameterError

KEY = Key(bytes(range(32)))


def test_a_new_key_is_random_private_and_never_overwritten(tmp_path: Path) -> None:
    made = new_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert len(made.secret) == 32
    assert read_key(tmp_path / "key") == made
    assert new_key(tmp_path / "other").secret != made.secret
    with pytest.raises(OutputError, match="never overwritten"):
        new_key(tmp_path / "key")
    assert read_key(tmp_path / "key") == made


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    new_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(ParameterError, match="chmod 600"):
        read_key(tmp_path / "key")


@pytest.mark.parametrize("content", [b"", b"short", b"subject,name\n" * 200, b"a" * 64, b"00" * 32])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ParameterError):
        read_key(path)


def test_raw_bytes_are_a_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(bytes(range(100, 148)))
    path.chmod(0o600)
    assert read_key(path).secret == bytes(range(100, 148))


def test_codes_are_frozen() -> None:
    # whoever has the key gets the same pseudonyms from every later version
    assert KEY.code("subject", "P001", 13) == "08VSZAA52Q1NP"
    assert KEY.shift("P001") == 353
    assert KEY.fingerprint == "XMMSQ4T1YSE81TX7"
    assert repr(KEY) == "Key(fingerprint='XMMSQ4T1YSE81TX7')"


def test_codes_depend_on_key_domain_and_text() -> None:
    codes = {
        key.code(domain, text, 13)
        for key in (KEY, Key(bytes(range(1, 33))))
        for domain in ("subject", "tube")
        for text in ("P001", "P002")
    }
    assert len(codes) == 8
    assert all(set(code) <= set(ALPHABET) for code in codes)


def test_shifts_fill_the_year_evenly() -> None:
    shifts = [KEY.shift(f"S{number}") for number in range(20_000)]
    assert min(shifts) == 1
    assert max(shifts) == 364
    counts = [shifts.count(day) for day in range(1, 365)]
    # Poisson of mean 55
    assert 25 < min(counts) <= max(counts) < 95
