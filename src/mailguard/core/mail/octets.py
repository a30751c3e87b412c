"""Counting and replacing in octets of any length, in steps that are short.

Owns that no single call runs for long: a search through 50 MB of line ends holds the interpreter,
and with it every thread, for a quarter of a second. Must not know what is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator

STEP = 524_288  # octets a call


def count(octets: bytes | bytearray, wanted: bytes) -> int:
    """How often `wanted` occurs; it must not overlap itself."""
    if len(octets) <= STEP:
        return octets.count(wanted)
    over = len(wanted) - 1  # an occurrence belongs to the step in which it begins
    return sum(octets.count(wanted, at, at + STEP + over) for at in range(0, len(octets), STEP))


def holds(octets: bytes | bytearray, wanted: bytes) -> bool:
    """Whether `wanted` occurs."""
    over = len(wanted) - 1
    steps = range(0, len(octets), STEP)
    return any(octets.find(wanted, at, at + STEP + over) >= 0 for at in steps)


def replace(octets: bytes | bytearray, old: bytes, new: bytes) -> bytes:
    """`octets` with every `old`, which must not overlap itself, as `new`."""
    if len(octets) <= STEP:
        return bytes(octets.replace(old, new))
    return b"".join([octets[a:b].replace(old, new) for a, b in _cuts(octets, old)])


def _cuts(octets: bytes | bytearray, whole: bytes) -> Iterator[tuple[int, int]]:
    """Steps that part no `whole`."""
    start, over = 0, len(whole) - 1
    while start < len(octets):
        end = start + STEP
        across = octets.find(whole, max(start, end - over), end + over)
        if across >= 0:
            end = across + len(whole)
        yield start, end
        start = end
