"""SMTP replies as they come in (RFC 5321 4.2) and as they may be passed on.

Owns the reader and its bounds. Must not know which command a reply answers.
"""

from __future__ import annotations

from mailguard.core.mail.reply import Reply

LINE_LIMIT = 4_096  # octets of a reply line; RFC 5321 4.5.3.1.5 says 512
LINES_LIMIT = 128  # lines of one reply
_PRINTABLE = bytes(c if 32 <= c < 127 else ord("?") for c in range(256))


class MalformedReply(Exception):
    """What the other side said is no SMTP reply, or beyond all bounds."""


class ReplyReader:
    """Cuts what arrives into replies (RFC 5321 4.2), however it was split on the way."""

    __slots__ = ("_code", "_lines", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._code = b""
        self._lines: list[bytes] = []

    @property
    def pending(self) -> bool:
        """Whether part of a reply has arrived."""
        return bool(self._rest or self._lines)

    def feed(self, octets: bytes) -> list[Reply]:
        """The replies that are complete now. Raises MalformedReply; the connection is over then."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        if len(self._rest) > LINE_LIMIT:
            raise MalformedReply("over-long line")
        replies = []
        for line in lines:
            if len(line) > LINE_LIMIT:
                raise MalformedReply("over-long line")
            code, mark, text = line[:3], line[3:4], line[4:].rstrip()
            if not (
                len(code) == 3 and code.isdigit() and b"200" <= code < b"600" and mark in b" -\r"
            ):
                raise MalformedReply("no reply code")
            if self._lines and code != self._code:
                raise MalformedReply("two codes in one reply")
            self._code = code
            self._lines.append(text)
            if mark != b"-":
                replies.append(_reply(code, self._lines))
                self._lines = []
            elif len(self._lines) >= LINES_LIMIT:
                raise MalformedReply("endless reply")
        return replies


def _reply(code: bytes, lines: list[bytes]) -> Reply:
    return Reply(int(code), b"\n".join(line.translate(_PRINTABLE) for line in lines).decode())


def told(reply: Reply) -> Reply:
    """A next hop's reply as it may be passed on to a client.

    An enhanced status code stands on every line (RFC 2034 4), 421 becomes 451 because the client's
    own channel stays open, and a code that answers no MAIL, RCPT or DATA is trouble: 451.
    """
    code = 451 if reply.code == 421 else reply.code
    if 300 <= code < 400:
        return Reply(451, "4.5.0 the next hop gave a reply that makes no sense here")
    mark = f"{code // 100}."
    lines = reply.text.split("\n")
    return Reply(code, "\n".join(s if s.startswith(mark) else f"{mark}0.0 {s}" for s in lines))
