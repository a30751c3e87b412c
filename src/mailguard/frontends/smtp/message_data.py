"""The octets of one message between DATA's 354 and CRLF.CRLF (RFC 5321 4.1.1.4, 4.5.2).

Owns the end of data, dot-stuffing and the rules a message's octets must obey. There is one rule
for line ends: **a message with a bare CR, a bare LF or a NUL is refused whole** (554 5.6.0), after
it was read to its CRLF.CRLF, so that no reader behind us can see another end than we did.
Must not know sockets or sessions. Every step is linear and short; there is no loop over lines.
"""

from __future__ import annotations

import re
from itertools import islice

from mailguard.core.mail import octets as long_octets
from mailguard.core.mail.reply import Reply

_END = b"\r\n.\r\n"
_COUNTED_AT_ONCE = 4_194_304  # octets in which stuffed dots are counted in one go
_RECEIVED = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)


class MessageData:
    """Collects octets until the end of data. Holds at most `size_limit` octets and one chunk."""

    __slots__ = ("_counted", "_limit", "_octets", "_stuffed", "complete", "discarded", "too_big")

    def __init__(self, size_limit: int) -> None:
        self._limit = size_limit
        # DATA's own CRLF counts as the one before a lone dot: an empty message ends at once.
        self._octets = bytearray(b"\r\n")
        self._counted = 0  # octets searched for stuffed dots
        self._stuffed = 0  # stuffed dots in them: no part of the size (RFC 1870 section 3)
        self.too_big = False
        self.discarded = False
        self.complete = False

    @property
    def held(self) -> int:
        """Octets held in memory now."""
        return len(self._octets)

    def feed(self, chunk: bytes | bytearray) -> bytes | None:
        """Take what came; what follows the end of data, or None while that was not seen."""
        octets = self._octets
        start = max(0, len(octets) - len(_END) + 1)
        octets += chunk
        end = octets.find(_END, start)
        if end >= 0:
            rest = bytes(octets[end + len(_END) :])
            del octets[end + 2 :]
            self.complete = True
            if self._counted > len(octets):  # the lone dot was taken for a stuffed one
                self._counted = len(octets)
                self._stuffed -= 1
            self._check_size(self._limit)
            return rest
        # What may be the beginning of the end is no part of the message yet.
        self._check_size(self._limit + len(_END) - 1)
        if self.too_big:
            del octets[: -len(_END) + 1]
        return None

    def discard(self) -> None:
        """Let go of what is held and keep nothing of what comes."""
        self.discarded = self.too_big = True

    def _check_size(self, limit: int) -> None:
        length = len(self._octets) - 2
        few = len(self._octets) - self._counted < _COUNTED_AT_ONCE
        if self.too_big or (few and length - self._stuffed <= limit):
            return
        self._stuffed += self._octets.count(b"\r\n.", max(0, self._counted - 2))
        self._counted = len(self._octets)
        self.too_big = length - self._stuffed > limit

    def message(self) -> bytes:
        """The message, dot-stuffing undone (RFC 5321 4.5.2). Only once `complete`."""
        # A dot alone would have been the end, so that every CRLF and dot here is a stuffed one.
        if long_octets.holds(self._octets, b"\r\n."):
            undone = long_octets.replace(self._octets, b"\r\n.", b"\r\n")
            return long_octets.span(undone, 2, len(undone))
        return long_octets.span(self._octets, 2, len(self._octets))


def objection(raw: bytes, line_length: int, received_fields: int) -> Reply | None:
    """Why a message may not be taken, judged by its octets alone; None when it may."""
    lines = long_octets.count(raw, b"\r\n")
    feeds, returns = long_octets.count(raw, b"\n"), long_octets.count(raw, b"\r")
    if feeds != lines or returns != lines or raw.find(0) >= 0:
        return Reply(554, "5.6.0 Message has a bare CR, a bare LF or a NUL")
    if _has_long_line(raw, line_length):
        return Reply(554, f"5.6.0 Message has a line over {line_length} octets")
    if _has_more_received_than(raw, received_fields):
        return Reply(554, "5.4.6 Too many Received fields: this is a loop")
    return None


def _has_long_line(raw: bytes, limit: int) -> bool:
    """Whether some line, its CRLF included, is over the limit: look for one end in each stretch."""
    start = 0
    while len(raw) - start > limit:
        end = raw.rfind(b"\n", start, start + limit)
        if end < 0:
            return True
        start = end + 1
    return False


def _has_more_received_than(raw: bytes, limit: int) -> bool:
    end = 0 if raw.startswith(b"\r\n") else long_octets.find(raw, b"\r\n\r\n")
    found = 0
    start, end = 0, len(raw) if end < 0 else end
    while start < end and found <= limit:  # in steps from line to line
        step = raw.find(b"\n", start + long_octets.STEP, end) + 1 or end
        found += sum(1 for _ in islice(_RECEIVED.finditer(raw, start, step), limit + 1))
        start = step
    return found > limit
