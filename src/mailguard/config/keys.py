"""The secret keys that sign links to the copy page: `link.keys` in the state directory.

Owns the file's form: one key a line in hex, newest first, so that an administrator rotates by
adding a line on top. Must not know what is signed.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from mailguard.config.form.errors import ConfigError, ConfigErrors

FILE = "link.keys"
OCTETS = 32
_KEY = re.compile(r"[0-9a-fA-F]{64}")
_MAX_OCTETS = 65_536


def link_keys(state: Path, *, create: bool) -> tuple[bytes, ...]:
    """The keys, newest first. Raises ConfigErrors.

    Where there is no file, one is made (0600, durable) if `create`; otherwise a key for this
    process alone, so that a check without side effects reads as the server would.
    """
    path = state / FILE
    try:
        if not path.exists():
            if not create:
                return (secrets.token_bytes(OCTETS),)
            _create(path)
        return _read(path)
    except OSError as error:
        problem = f"cannot be used: {error.strerror or error}"
        raise ConfigErrors([ConfigError(str(path), 1, 1, "", problem)]) from None


def _create(path: Path) -> None:
    """Write a new file under another name and link it: whoever reads it reads it whole, and of
    several processes that start at once one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(OCTETS) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # another process was first: its key is everybody's
        _sync_directory(path.parent)
    finally:
        draft.unlink()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> tuple[bytes, ...]:
    errors = []
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode & 0o777
        text = file.read(_MAX_OCTETS).decode("latin-1")
    if mode & 0o007:
        problem = f"may be read by everybody (mode {mode:04o})"
        errors.append(ConfigError(str(path), 1, 1, "", problem, "mode 0600"))
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        if _KEY.fullmatch(written):
            keys.append(bytes.fromhex(written))
        else:  # the line itself is never shown: it may be a key
            problem = "is no key"
            errors.append(ConfigError(str(path), number, 1, "", problem, "64 hex digits"))
    if not keys and not errors:
        errors.append(ConfigError(str(path), 1, 1, "", "holds no key", "64 hex digits a line"))
    if errors:
        raise ConfigErrors(errors)
    return tuple(keys)
