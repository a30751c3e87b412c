"""Octets and names that outlive a power cut: the two steps that every file of the store takes.

Owns how they are asked of the system. Must not know what is stored. Errors are the system's own.
"""

from __future__ import annotations

import os


def write_all(descriptor: int, octets: bytes) -> None:
    """Write every octet, however many calls it takes. Not durable yet."""
    view = memoryview(octets)
    while view:
        view = view[os.write(descriptor, view) :]


def synchronise(directory: str) -> None:
    """Make a directory's entries durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
