"""Replies as octets (RFC 5321 4.2, RFC 2034).

Owns the last writer's duty: whatever a reply's text holds, no control character and no line over
512 octets reaches a client. Must not know sessions.
"""

from __future__ import annotations

import re

from mailguard.core.mail import safe_text
from mailguard.core.mail.reply import Reply

_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?: |\Z)")
_LONGEST = 480  # octets of text a line: 512 less code, enhanced code and CRLF (4.5.3.1.5)


def reply_octets(reply: Reply, *, utf8: bool = False) -> bytes:
    """The reply's lines, each with its code and, where the text begins with one, the enhanced
    status code. Text beyond ASCII becomes `?` unless the client asked for SMTPUTF8."""
    text = reply.text
    found = _ENHANCED.match(text)
    enhanced = found.group().rstrip() if found else ""
    lines: list[bytes] = []
    for line in text[len(enhanced) :].split("\n"):
        said = line.strip().removeprefix(f"{enhanced} ")  # the next hop says it on each line
        octets = safe_text.reply_line(said).encode("utf-8" if utf8 else "ascii", "replace")
        prefix = enhanced.encode("ascii") + b" " if enhanced else b""
        lines += [prefix + piece for piece in _pieces(octets)]
    code = b"%03d" % reply.code
    body = b"".join(code + b"-" + line.rstrip() + b"\r\n" for line in lines[:-1])
    return body + code + b" " + lines[-1].rstrip() + b"\r\n"


def _pieces(octets: bytes) -> list[bytes]:
    if len(octets) <= _LONGEST:
        return [octets]
    pieces = []
    while len(octets) > _LONGEST:
        cut = octets.rfind(b" ", 1, _LONGEST)
        if cut < 0:
            cut = _LONGEST
            while cut > 1 and octets[cut] & 0xC0 == 0x80:  # not inside a UTF-8 sequence
                cut -= 1
        pieces.append(octets[:cut])
        octets = octets[cut:].lstrip()
    pieces.append(octets)
    return pieces
