"""Logins from a password file: lines `login:$argon2id$…`, verified in a thread.

Owns the file's format and argon2id. Must not know SMTP, or which addresses an account owns.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import structlog
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

log = structlog.get_logger("mailguard.passwords")

_AT_ONCE = 2  # verifications at once: each takes 64 MiB and a processor


class PasswordFileError(ValueError):
    """The file cannot be used; every reason is `file:line:column: what is wrong`."""

    def __init__(self, errors: tuple[str, ...]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def hash_password(password: bytes) -> str:
    """What stands after the colon, for this password. Takes a tenth of a second."""
    return PasswordHasher(type=Type.ID).hash(password)


def read_password_file(path: Path) -> Mapping[str, str]:
    """Hashes by lower-case login. Empty lines and those that begin with # are skipped.

    Raises PasswordFileError with every bad line, or OSError."""
    hashes: dict[str, str] = {}
    errors: list[str] = []
    for number, raw in enumerate(path.read_bytes().split(b"\n"), start=1):
        line = raw.decode("utf-8", "replace").strip()
        if not line or line.startswith("#"):
            continue
        login, colon, hashed = line.partition(":")
        login = login.lower()
        if not colon or not login or not login.isprintable() or "\ufffd" in login:
            errors.append(f"{path}:{number}:1: must be login:$argon2id$…")
        elif not _is_argon2id(hashed):
            errors.append(f"{path}:{number}:{len(login) + 2}: must be an argon2id hash")
        elif login in hashes:
            errors.append(f"{path}:{number}:1: {login!a} is there twice")
        else:
            hashes[login] = hashed
    if errors:
        raise PasswordFileError(tuple(errors))
    return hashes


def _is_argon2id(hashed: str) -> bool:
    try:
        return extract_parameters(hashed).type is Type.ID
    except InvalidHashError:
        return False


class PasswordFile:
    """Proves logins. A changed file is read at the next login; a bad one changes nothing."""

    def __init__(self, path: Path) -> None:
        """A file that is not there yet lets nobody in. Raises PasswordFileError or OSError."""
        self._path = path
        self._hasher = PasswordHasher(type=Type.ID)
        self._stamp: tuple[int, int, int] | None = None
        self._hashes: Mapping[str, str] = {}
        if path.exists():
            self._stamp = self._look()
            self._hashes = read_password_file(path)
        self._limit = asyncio.Semaphore(_AT_ONCE)
        # Verified for unknown logins, so that time does not tell which logins exist.
        self._decoy = self._hasher.hash(os.urandom(16))

    def _look(self) -> tuple[int, int, int]:
        seen = self._path.stat()
        return seen.st_mtime_ns, seen.st_size, seen.st_ino

    async def verify(self, login: str, password: bytes) -> str | None:
        """The account, which is the login in lower case; None when login or password is wrong."""
        async with self._limit:
            return await asyncio.to_thread(self._verify, login.lower(), password)

    def _verify(self, login: str, password: bytes) -> str | None:
        self._reload()
        known = self._hashes.get(login)
        try:
            self._hasher.verify(known or self._decoy, password)
        except VerificationError:
            return None
        return login if known is not None else None

    def _reload(self) -> None:
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._hashes = read_password_file(self._path)
        except (OSError, PasswordFileError) as error:
            log.error("password file not reloaded", detail=ascii(str(error)))
