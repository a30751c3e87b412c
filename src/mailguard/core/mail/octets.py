"""Octets of any length looked through, cut and put together in steps that are short.

Owns that no single call runs for long: one search through 50 MB holds the interpreter, and with it
every thread, for a tenth of a second and more. (`bytes.join` of large octets lets others run while
it copies, `+` does not.) Must not know what is looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

STEP = 524_288  # octets a call


def count(octets: bytes | bytearray, wanted: bytes) -> int:
    """How often `wanted` occurs; it must not overlap itself."""
    if len(octets) <= STEP:
        return octets.count(wanted)
    over = len(wanted) - 1  # an occurrence belongs to the step in which it begins
    return sum(octets.count(wanted, at, at + STEP + over) for at in range(0, len(octets), STEP))


def find(octets: bytes | bytearray, wanted: bytes, start: int = 0, end: int | None = None) -> int:
    """As `bytes.find`: where `wanted` occurs first within the span, or -1. `start` counts from the
    front."""
    stop = len(octets) if end is None else min(end, len(octets))
    if stop - start <= STEP:
        return octets.find(wanted, start, stop)
    over = len(wanted) - 1
    for at in range(start, stop, STEP):
        found = octets.find(wanted, at, min(at + STEP + over, stop))
        if found >= 0:
            return found
    return -1


def holds(octets: bytes | bytearray, wanted: bytes) -> bool:
    """Whether `wanted` occurs."""
    return find(octets, wanted) >= 0


def steps(octets: bytes | bytearray, start: int = 0, end: int | None = None) -> Iterable[bytes]:
    """A span, cut anywhere."""
    stop = len(octets) if end is None else min(end, len(octets))
    if stop - start <= STEP:
        return (bytes(octets[start:stop]),)
    return (bytes(octets[at : min(at + STEP, stop)]) for at in range(start, stop, STEP))


def span(octets: bytes | bytearray, start: int, end: int) -> bytes:
    """As `octets[start:end]`, of places within them."""
    if end - start <= STEP:
        return bytes(octets[start:end])
    return b"".join(list(steps(octets, start, end)))


def lines(octets: bytes) -> Iterable[bytes]:
    """The lines with their ends, of octets without a CR but before an LF."""
    return octets.splitlines(keepends=True) if len(octets) <= STEP else _lines(octets)


def _lines(octets: bytes) -> Iterator[bytes]:
    start = 0
    while len(octets) - start > STEP:
        end = octets.find(b"\n", start + STEP) + 1 or len(octets)
        yield from octets[start:end].splitlines(keepends=True)
        start = end
    yield from octets[start:].splitlines(keepends=True)


def same(one: bytes, start: int, end: int, other: bytes, at: int, until: int) -> bool:
    """Whether `one[start:end]` is `other[at:until]`, of places within them."""
    if end - start != until - at:
        return False
    return all(
        one[n : min(n + STEP, end)] == other[n - start + at : min(n + STEP, end) - start + at]
        for n in range(start, end, STEP)
    )


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
