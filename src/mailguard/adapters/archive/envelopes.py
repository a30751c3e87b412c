"""Envelopes behind a message: zstd skippable frames after the frame of a blob's file.

Owns the form of such a file (RFC 8878 3.1) and how envelopes are found and added. Must not know
where blobs lie, nor what an envelope holds. Errors are the system's own (OSError) and zstd's
(ZstdError, for a message's frame that is not whole): the blob store gives them their name.

    frame | skippable frame | skippable frame …

Each skippable frame holds one JSON line for one transaction that brought the message. Decoders
pass over them, so `zstd -dc` gives the message alone. Only what was added last can be torn: the
message and its first envelopes come into being by one rename.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from mailguard.adapters.archive import durable

_SKIPPABLE = 0x184D2A5E  # one of the sixteen of RFC 8878 3.1.2
_HEADER = struct.Struct("<II")  # magic number, octets that follow
_LARGEST_HEADER = 18  # of a frame: RFC 8878 3.1.1.1
_RLE, _RESERVED = 1, 3  # RFC 8878 3.1.1.2.2


def encode(envelope: Mapping[str, Any]) -> bytes:
    """An envelope as its skippable frame. ASCII: whatever its texts hold stays one line."""
    line = json.dumps(envelope, separators=(",", ":")).encode("ascii") + b"\n"
    return _HEADER.pack(_SKIPPABLE, len(line)) + line


def read(path: Path) -> list[dict[str, Any]]:
    """Every envelope in a blob's file, oldest first; what is torn is left out."""
    found = []
    with path.open("rb") as file:
        for line, _ in _lines(file):
            with suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict):
                    found.append(value)
    return found


def append(path: str, frames: bytes) -> int:
    """Add frames that `encode` gave, over a torn one that a crash left. Not durable yet: the
    descriptor, to synchronise and to close. The caller keeps everybody else from adding."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        with open(descriptor, "rb", closefd=False) as file:
            end = _message_end(file)
            for _, after in _lines(file):
                end = after
            torn = _size(file) > end
        if torn:
            os.ftruncate(descriptor, end)
        try:
            durable.write_all(descriptor, frames)
        except OSError:
            os.ftruncate(descriptor, end)
            raise
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """What each whole skippable frame holds, and the offset behind it."""
    end = _message_end(file)
    file.seek(end)
    while len(header := file.read(_HEADER.size)) == _HEADER.size:
        magic, length = _HEADER.unpack(header)
        end += _HEADER.size + length
        if magic != _SKIPPABLE or end > _size(file):
            break
        yield file.read(length), end


def _message_end(file: BinaryIO) -> int:
    """The offset behind the message's frame, by the headers of its blocks (RFC 8878 3.1.1)."""
    file.seek(0)
    head = file.read(_LARGEST_HEADER)
    if not head.startswith(zstandard.FRAME_HEADER):
        raise zstandard.ZstdError("no frame")
    checksum = 4 if zstandard.get_frame_parameters(head).has_checksum else 0
    end, last = zstandard.frame_header_size(head), 0
    while not last:
        file.seek(end)
        header = file.read(3)
        block = int.from_bytes(header, "little")
        last, kind, length = block & 1, block >> 1 & 3, block >> 3
        if len(header) < 3 or kind == _RESERVED:
            raise zstandard.ZstdError("a frame that is not whole")
        end += 3 + (1 if kind == _RLE else length)
    if end + checksum > _size(file):
        raise zstandard.ZstdError("a frame that is not whole")
    return end + checksum


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
