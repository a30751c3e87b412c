"""The password file: its format, its errors with their places, and proving logins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from mailguard.adapters.passwords import (
    PasswordFile,
    PasswordFileError,
    hash_password,
    read_password_file,
)

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("good")


def test_every_bad_line_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(f"# people\n\nalex:{QUICK}\nnobody\nbob:plain\nALEX:{QUICK}\n:{QUICK}\n")
    with pytest.raises(PasswordFileError) as caught:
        read_password_file(path)
    assert [error.removeprefix(f"{path}:") for error in caught.value.errors] == [
        "4:1: must be login:$argon2id$…",
        "5:5: must be an argon2id hash",
        "6:1: 'alex' is there twice",
        "7:1: must be login:$argon2id$…",
    ]


def test_argon2i_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text("alex:" + QUICK.replace("argon2id", "argon2i") + "\n")
    with pytest.raises(PasswordFileError):
        read_password_file(path)


async def test_verify(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    other = hash_password("pass wörd".encode())
    path.write_text(f"Alex:{QUICK}\r\nsam:{other}\n")
    passwords = PasswordFile(path)
    assert await passwords.verify("ALEX", b"good") == "alex"
    assert await passwords.verify("alex", b"bad") is None
    assert await passwords.verify("alex", b"") is None
    assert await passwords.verify("nobody", b"good") is None
    assert await passwords.verify("sam", "pass wörd".encode()) == "sam"
    assert await passwords.verify("sam", b"\xff\xfe") is None


async def test_a_changed_file_is_read_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(f"alex:{QUICK}\n")
    passwords = PasswordFile(path)
    path.write_text(f"alex:{QUICK}\nsam:{QUICK}\n")
    assert await passwords.verify("sam", b"good") == "sam"
    path.write_text("garbage\n")
    os.utime(path, ns=(1, 1))
    assert await passwords.verify("sam", b"good") == "sam"
    path.unlink()
    assert await passwords.verify("sam", b"good") == "sam"
    path.write_text(f"alex:{QUICK}\n")
    assert await passwords.verify("sam", b"good") is None
    assert await passwords.verify("alex", b"good") == "alex"
