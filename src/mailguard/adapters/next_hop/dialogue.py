"""The client's side of SMTP as dialogues without I/O (RFC 5321, pipelined by RFC 2920).

Owns what a next hop offers, and what is said to it in which order. A
dialogue is a generator: it yields what to write and is sent one reply at a time, so whole and
byte-at-a-time input give one result. Every reply that was asked for is read, DATA's too.
Must not know sockets, time-outs, TLS handshakes or the pool.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from mailguard.adapters.next_hop.reply import told
from mailguard.core.mail import octets
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope

ROUNDS = 10  # transactions that one delivery may take where recipients are capped

_HEADER_END = b"\r\n\r\n"
# A mailbox that cannot end the path early or the line: quoted local-parts may hold "<", ">", " ".
_MAILBOX = re.compile(r'(?:"[^\x00-\x1f\x7f\ud800-\udfff]*"@)?[^\x00-\x20\x7f<>"\ud800-\udfff]+')


class Unsendable(Exception):
    """A message or a path that must not leave: it should have been refused on entry."""


@dataclass(frozen=True, slots=True)
class Content:
    """What follows a 354, dot-stuffed, the final dot included (RFC 5321 4.5.2)."""

    octets: bytes = field(repr=False)


Dialogue = Generator[bytes | Content, Reply, None]


@dataclass(frozen=True, slots=True)
class Peer:
    """What the next hop said it can do (RFC 5321 4.1.1.1)."""

    pipelining: bool = False
    eight_bit: bool = False  # 8BITMIME
    smtputf8: bool = False
    starttls: bool = False
    size: int | None = None  # None: SIZE not offered; 0: no fixed limit (RFC 1870)
    xforward: frozenset[str] = frozenset()
    auth: frozenset[str] = frozenset()


def read_extensions(reply: Reply) -> Peer:
    """The offers in an EHLO reply; unknown ones and nonsense are passed over."""
    offers: dict[str, list[str]] = {}
    for line in reply.text.split("\n")[1:]:
        keyword, *parameters = line.upper().replace("=", " ", 1).split() or [""]
        offers.setdefault(keyword, []).extend(parameters)
    size: int | None = None
    if "SIZE" in offers:
        given = offers["SIZE"][:1]
        size = int(given[0]) if given and given[0].isdecimal() and len(given[0]) < 20 else 0
    return Peer(
        pipelining="PIPELINING" in offers,
        eight_bit="8BITMIME" in offers,
        smtputf8="SMTPUTF8" in offers,
        starttls="STARTTLS" in offers,
        size=size,
        xforward=frozenset(offers.get("XFORWARD", ())),
        auth=frozenset(offers.get("AUTH", ())),
    )


@dataclass(slots=True)
class HeardReplies:
    """What a short dialogue heard, in order."""

    replies: list[Reply] = field(default_factory=list)
    peer: Peer | None = None

    @property
    def last(self) -> Reply:
        return self.replies[-1]


def greet(answers: HeardReplies, name: str, greeted: bool = False) -> Dialogue:
    """Hear the greeting, say EHLO and, where that is not known, HELO (RFC 5321 3.2).

    `greeted`: there is no greeting to wait for, as after STARTTLS. `answers.peer` stays None where
    the next hop will not talk with us."""
    if not greeted:
        answers.replies.append((yield b""))
        if answers.last.code != 220:
            return
    answers.replies.append((yield f"EHLO {name}\r\n".encode("ascii", "replace")))
    if answers.last.code == 250:
        answers.peer = read_extensions(answers.last)
    elif answers.last.permanent:
        answers.replies.append((yield f"HELO {name}\r\n".encode("ascii", "replace")))
        if answers.last.code == 250:
            answers.peer = Peer()


def ask(answers: HeardReplies, command: bytes) -> Dialogue:
    """One command, one reply: STARTTLS, NOOP."""
    answers.replies.append((yield command + b"\r\n"))


def ask_recipient(answers: HeardReplies, peer: Peer, reverse_path: str, recipient: str) -> Dialogue:
    """MAIL, RCPT and RSET: the first two replies say whether the recipient would be taken."""
    utf8 = b"" if recipient.isascii() and reverse_path.isascii() else b" SMTPUTF8"
    commands = [
        b"MAIL FROM:<%s>%s\r\n" % (reverse_path.encode(), utf8),
        b"RCPT TO:<%s>\r\n" % recipient.encode(),
        b"RSET\r\n",
    ]
    for command in islice(_paced(peer, commands), len(commands)):
        answers.replies.append((yield command))
        if not (peer.pipelining or answers.replies[0].positive):
            return  # no transaction was begun, so there is none to reset


def log_in(answers: HeardReplies, peer: Peer, login: str, password: str) -> Dialogue:
    """AUTH PLAIN (RFC 4616), or LOGIN where only that is offered, as by Exchange."""
    if "PLAIN" in peer.auth:
        credentials = base64.b64encode(f"\0{login}\0{password}".encode())
        answers.replies.append((yield b"AUTH PLAIN %s\r\n" % credentials))
        return
    said = [b"AUTH LOGIN", base64.b64encode(login.encode()), base64.b64encode(password.encode())]
    for line in said:
        answers.replies.append((yield line + b"\r\n"))
        if answers.last.code != 334:
            return


@dataclass(frozen=True, slots=True)
class Mail:
    """One message made ready to be sent: checked, dot-stuffed, its needs known."""

    reverse_path: str
    content: Content
    size: int
    eight_bit: bool  # holds octets over 127
    utf8_header: bool  # an internationalised header section or reverse-path
    body: str
    smtputf8: bool
    origin: Envelope | None = None

    @classmethod
    def prepare(
        cls,
        reverse_path: str,
        raw: bytes,
        body: str = "",
        smtputf8: bool = False,
        origin: Envelope | None = None,
    ) -> Mail:
        """Make a message ready. CRLF is appended where it does not end in one.

        Raises Unsendable for NUL or a CR or LF that stands alone, and for a reverse-path that
        would break its command: what a next hop could read differently never leaves.
        """
        pairs = octets.count(raw, b"\r\n")
        bare = octets.count(raw, b"\n") != pairs or octets.count(raw, b"\r") != pairs
        if bare or b"\0" in raw:
            raise Unsendable("a bare CR, a bare LF or a NUL in the message")
        if reverse_path and not is_sendable(reverse_path):
            raise Unsendable("a reverse-path that is no mailbox")
        ascii_only = raw.isascii()
        utf8_header = not reverse_path.isascii()
        if smtputf8 and not ascii_only and not utf8_header:
            end = octets.find(raw, _HEADER_END)
            utf8_header = not raw[: end if end >= 0 else len(raw)].isascii()
        stuffed = b"".join(
            (
                b"." if raw.startswith(b".") else b"",
                octets.replace(raw, b"\r\n.", b"\r\n.."),
                b".\r\n" if not raw or raw.endswith(b"\r\n") else b"\r\n.\r\n",
            )
        )
        return cls(
            reverse_path,
            Content(stuffed),
            len(raw),
            not ascii_only,
            utf8_header,
            body,
            smtputf8,
            origin,
        )

    def command(self, peer: Peer, recipients: Iterable[str]) -> bytes:
        """The MAIL command with the parameters that this next hop knows."""
        parameters = ""
        if peer.size is not None:
            parameters = f" SIZE={self.size}"
        if peer.eight_bit and (self.eight_bit or self.body == "8BITMIME"):
            parameters += " BODY=8BITMIME"
        if peer.smtputf8 and (
            self.smtputf8 or self.utf8_header or not all(r.isascii() for r in recipients)
        ):
            parameters += " SMTPUTF8"
        return f"MAIL FROM:<{self.reverse_path}>{parameters}\r\n".encode()


def is_sendable(mailbox: str) -> bool:
    """Whether a mailbox may stand in a command; entry's strict grammar makes it so."""
    return _MAILBOX.fullmatch(mailbox) is not None


def obstacle(mail: Mail, peer: Peer, recipient: str) -> Reply | None:
    """Why this copy cannot go to this next hop at all; said, never dropped in silence."""
    if not is_sendable(recipient):
        return Reply(451, "4.3.0 a forward-path that is no mailbox")
    if peer.size and mail.size > peer.size:
        return Reply(
            552, "5.3.4 message is larger than the mail server behind us takes"
        )  # RFC 1870
    if mail.eight_bit and not peer.eight_bit:
        return Reply(554, "5.6.3 the mail server behind us takes no 8-bit message")  # RFC 6152 3
    if not peer.smtputf8 and (mail.utf8_header or not recipient.isascii()):
        return Reply(550, "5.6.7 the mail server behind us takes no internationalised mail")
    return None


def xforward(peer: Peer, origin: Envelope | None) -> list[bytes]:
    """The client's address, name, HELO and protocol for Postfix's XFORWARD; none where not offered.

    Attributes we do not know are said to be unavailable, so none stays from an earlier message."""
    known = {"NAME": "", "ADDR": "", "PROTO": "", "HELO": ""}
    if origin is not None:
        address = origin.client_address
        known = {
            "NAME": origin.client_name,
            "ADDR": f"IPv6:{address}" if ":" in address else address,
            "PROTO": "ESMTP" if origin.protocol.upper().startswith("E") else "SMTP",
            "HELO": origin.helo,
        }
    attributes = [
        b"%s=%s" % (name.encode(), _xtext(value[:255]) or b"[UNAVAILABLE]")
        for name, value in known.items()
        if name in peer.xforward
    ]
    line = b" ".join(attributes)
    lines = [line] if len(line) < 500 else attributes  # RFC 5321 4.5.3.1.4
    return [b"XFORWARD %s\r\n" % line for line in lines if line]


def _xtext(value: str) -> bytes:
    """RFC 3461 4; anything beyond printable ASCII is escaped."""
    octets = value.encode("utf-8", "replace")
    return b"".join(
        b"%c" % c if 33 <= c < 127 and c not in b"+=" else b"+%02X" % c for c in octets
    )[:255]


def deliver(
    peer: Peer,
    mail: Mail,
    recipients: Sequence[str],
    replies: dict[str, Reply],
    prefix: Sequence[bytes] = (),
) -> Dialogue:
    """Send one message to all recipients; `replies` gets each one's as soon as it is final.

    Recipients over the next hop's limit (452, or 552 as RFC 5321 4.5.3.1.10 has it) are tried in a
    further transaction while each of those delivers something. `prefix` are XFORWARD commands;
    their replies change nothing.
    """
    left = []
    for recipient in recipients:
        refusal = obstacle(mail, peer, recipient)
        if refusal is None:
            left.append(recipient)
        else:
            replies[recipient] = refusal
    for _ in range(ROUNDS):
        if not left:
            return
        capped: list[str] = []
        yield from _transaction(peer, mail, left, replies, capped, prefix)
        if not any(replies[recipient].positive for recipient in left):
            return
        left = capped


def _transaction(
    peer: Peer,
    mail: Mail,
    recipients: Sequence[str],
    replies: dict[str, Reply],
    capped: list[str],
    prefix: Sequence[bytes],
) -> Dialogue:
    """One mail transaction (RFC 5321 3.3). Content follows a 354 and an accepted recipient only."""
    rcpt = [f"RCPT TO:<{recipient}>\r\n".encode() for recipient in recipients]
    lines = _paced(peer, [*prefix, mail.command(peer, recipients), *rcpt, b"DATA\r\n"])
    for _ in prefix:
        yield next(lines)
    begun = yield next(lines)
    accepted = []
    if not begun.positive:
        refusal = told(begun)
        replies.update(dict.fromkeys(recipients, refusal))
        if not peer.pipelining:
            return
        for _ in recipients:  # RFC 2920 3.1: their replies come all the same
            yield next(lines)
    else:
        for recipient in recipients:
            answer = yield next(lines)
            if answer.positive:
                accepted.append(recipient)
                continue
            if answer.code == 552 and not answer.text.startswith("5.2."):
                answer = Reply(452, "4.5.3 too many recipients")  # RFC 5321 4.5.3.1.10
            if answer.code == 452:
                capped.append(recipient)
            replies[recipient] = told(answer)
    if not accepted and not peer.pipelining:
        yield b"RSET\r\n"
        return
    go = yield next(lines)
    if go.code == 354 and accepted:
        final = told((yield mail.content))
        replies.update(dict.fromkeys(accepted, final))
        return
    if go.code == 354:  # RFC 2920 3.1: nobody to send it to, yet it waits for the end of data
        yield b".\r\n"
        return
    if not begun.positive:
        return
    refusal = told(go)
    if refusal.positive:  # no 2xx answers DATA; nothing was sent
        refusal = Reply(451, "4.5.0 the next hop gave a reply that makes no sense here")
    replies.update(dict.fromkeys(accepted, refusal))
    yield b"RSET\r\n"


def _paced(peer: Peer, commands: Sequence[bytes]) -> Generator[bytes, None, None]:
    """What to write before each reply: everything at once under PIPELINING, else in turn."""
    if not peer.pipelining:
        yield from commands
        return
    yield b"".join(commands)
    while True:
        yield b""
