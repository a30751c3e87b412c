"""The client's dialogues, spoken without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailguard.adapters.next_hop.dialogue import (
    Content,
    Dialogue,
    HeardReplies,
    Mail,
    Peer,
    Unsendable,
    deliver,
    greet,
    is_sendable,
    read_extensions,
    xforward,
)
from mailguard.adapters.next_hop.reply import (
    LINE_LIMIT,
    LINES_LIMIT,
    MalformedReply,
    ReplyReader,
    told,
)
from mailguard.core.mail.reply import Reply
from mailguard.core.mail.transaction import Envelope

ALL = Peer(pipelining=True, eight_bit=True, smtputf8=True, size=0)
RAW = b"Subject: x\r\n\r\nhello\r\n"
TO = ["pat@example.org", "sam@example.org"]


def speak(dialogue: Dialogue, replies: list[Reply]) -> list[bytes]:
    """What the dialogue wrote; every reply must have been asked for, and all be read."""
    written = []
    left = list(replies)
    output = next(dialogue)
    while True:
        written.append(b"<content>" if isinstance(output, Content) else output)
        try:
            output = dialogue.send(left.pop(0))
        except StopIteration:
            assert not left, "replies were left unread"
            return written


def codes(*given: int) -> list[Reply]:
    return [Reply(code, f"{code // 100}.0.0 x") for code in given]


def test_pipelined_is_two_writes() -> None:
    replies: dict[str, Reply] = {}
    written = speak(
        deliver(ALL, Mail.prepare("a@example.net", RAW), TO, replies),
        codes(250, 250, 250, 354, 250),
    )
    assert written == [
        b"MAIL FROM:<a@example.net> SIZE=21\r\nRCPT TO:<pat@example.org>\r\n"
        b"RCPT TO:<sam@example.org>\r\nDATA\r\n",
        b"",
        b"",
        b"",
        b"<content>",
    ]
    assert [replies[r].code for r in TO] == [250, 250]


def test_serial_waits_for_each_reply() -> None:
    replies: dict[str, Reply] = {}
    written = speak(
        deliver(Peer(), Mail.prepare("", RAW), TO, replies), codes(250, 550, 250, 354, 250)
    )
    assert written == [
        b"MAIL FROM:<>\r\n",
        b"RCPT TO:<pat@example.org>\r\n",
        b"RCPT TO:<sam@example.org>\r\n",
        b"DATA\r\n",
        b"<content>",
    ]
    assert [replies[r].code for r in TO] == [550, 250]


@pytest.mark.parametrize(
    ("pipelining", "given", "wrote", "expected"),
    [
        # MAIL refused: under PIPELINING every other reply is read all the same
        (True, (550, 503, 503, 503), "", [550, 550]),
        (False, (550,), "MAIL FROM:<>", [550, 550]),
        # all RCPT refused: DATA's reply is read, the transaction is reset
        (True, (250, 550, 451, 503, 250), "RSET", [550, 451]),
        (False, (250, 550, 451, 250), "RSET", [550, 451]),
        # all refused, yet DATA is taken: the end of data alone, never the content
        (True, (250, 550, 550, 354, 554), ".", [550, 550]),
        # DATA refused
        (True, (250, 250, 550, 451, 250), "RSET", [451, 550]),
        (True, (250, 250, 250, 250, 250), "RSET", [451, 451]),
        # the final dot is refused
        (True, (250, 250, 550, 354, 554), "<content>", [554, 550]),
        (True, (250, 250, 250, 354, 354), "<content>", [451, 451]),
    ],
)
def test_refusals(
    pipelining: bool, given: tuple[int, ...], wrote: str, expected: list[int]
) -> None:
    replies: dict[str, Reply] = {}
    peer = Peer(pipelining=pipelining)
    written = speak(deliver(peer, Mail.prepare("", RAW), TO, replies), codes(*given))
    assert written[-1].rstrip(b"\r\n").decode() == wrote
    assert b"<content>" not in written[:-1]
    assert [replies[r].code for r in TO] == expected


def test_capped_recipients_get_a_further_transaction() -> None:
    replies: dict[str, Reply] = {}
    to = [f"p{n}@example.org" for n in range(3)]
    written = speak(
        deliver(ALL, Mail.prepare("", RAW), to, replies),
        [
            *codes(250, 250, 452),
            Reply(552, "5.5.3 too many"),  # RFC 5321 4.5.3.1.10: as 452
            *codes(354, 250),
            *codes(250, 250, 452, 354, 250),
            *codes(250, 452, 503, 250),
        ],
    )
    assert written.count(b"<content>") == 2
    assert [replies[r].code for r in to] == [250, 250, 452]


def test_full_mailbox_stays_permanent() -> None:
    replies: dict[str, Reply] = {}
    given = [*codes(250, 250), Reply(552, "5.2.2 full"), *codes(354, 250)]
    speak(deliver(ALL, Mail.prepare("", RAW), TO, replies), given)
    assert replies[TO[1]].code == 552


@pytest.mark.parametrize(
    ("peer", "mail", "code"),
    [
        (Peer(size=10), Mail.prepare("", RAW), "5.3.4"),
        (Peer(), Mail.prepare("", "Subject: ä\r\n\r\n".encode()), "5.6.3"),
        (
            Peer(eight_bit=True),
            Mail.prepare("", "Subject: ä\r\n\r\n".encode(), smtputf8=True),
            "5.6.7",
        ),
        (Peer(eight_bit=True), Mail.prepare("ä@example.net", RAW), "5.6.7"),
    ],
)
def test_what_the_next_hop_cannot_take_is_said(peer: Peer, mail: Mail, code: str) -> None:
    replies: dict[str, Reply] = {}
    assert list(deliver(peer, mail, TO, replies)) == []
    assert all(replies[r].permanent and replies[r].text.startswith(code) for r in TO)


def test_only_the_internationalised_recipient_is_refused() -> None:
    replies: dict[str, Reply] = {}
    mail = Mail.prepare("", RAW, smtputf8=True)
    speak(deliver(Peer(), mail, ["pät@example.org", TO[0]], replies), codes(250, 250, 354, 250))
    assert replies["pät@example.org"].text.startswith("5.6.7")
    assert replies[TO[0]].code == 250


def test_parameters_are_those_offered() -> None:
    mail = Mail.prepare("ä@example.net", "Subject: ä\r\n\r\n".encode(), "8BITMIME", True)
    assert mail.command(ALL, TO).decode() == (
        "MAIL FROM:<ä@example.net> SIZE=15 BODY=8BITMIME SMTPUTF8\r\n"
    )
    plain = Mail.prepare("", RAW, "8BITMIME", True)  # declared, but it needs neither
    assert plain.command(Peer(), TO) == b"MAIL FROM:<>\r\n"


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        (b"", b".\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b".\r\n..\r\na.\r\n", b"..\r\n...\r\na.\r\n.\r\n"),
        (b"a\r\n.", b"a\r\n..\r\n.\r\n"),
    ],
)
def test_content(raw: bytes, sent: bytes) -> None:
    assert Mail.prepare("", raw).content.octets == sent


@pytest.mark.parametrize(
    "raw", [b"a\n.\r\n", b"a\r.\r\n", b"a\0\r\n", b"\n", b"a\r\r\n", b"a\r\n\r", b"a\n\r\r\n"]
)
def test_bare_line_ends_never_leave(raw: bytes) -> None:
    with pytest.raises(Unsendable):
        Mail.prepare("", raw)


@given(st.lists(st.binary(max_size=8).map(lambda b: b.translate(None, b"\r\n\0")), max_size=8))
def test_unstuffed_content_is_the_message(lines: list[bytes]) -> None:
    raw = b"".join(line + b"\r\n" for line in lines)
    octets = Mail.prepare("", raw).content.octets
    assert octets.endswith(b".\r\n") and octets.find(b"\r\n.\r\n") in (-1, len(octets) - 5)
    received = [line[1:] if line[:1] == b"." else line for line in octets.split(b"\r\n")[:-2]]
    assert received == lines


@pytest.mark.parametrize(
    "mailbox", ["a@b>", "a b@c", "a\r\nRSET", "", "a\0@b", 'x"<@y', "\ud800@b"]
)
def test_mailboxes_that_would_break_a_command(mailbox: str) -> None:
    assert not is_sendable(mailbox)


@pytest.mark.parametrize("mailbox", ["a@b", '"a b>"@c', "postmaster", "pät@example.org", "a@[::1]"])
def test_mailboxes_that_do_not(mailbox: str) -> None:
    assert is_sendable(mailbox)


def test_broken_recipient_is_our_trouble() -> None:
    replies: dict[str, Reply] = {}
    assert list(deliver(ALL, Mail.prepare("", RAW), ["a@b>\r\nRSET"], replies)) == []
    assert replies["a@b>\r\nRSET"].code == 451


STREAM = (
    b"220-mail.example.org\r\n220 ready\r\n250-x\r\n250-SIZE 12\r\n250 PIPELINING\r\n"
    b"550 5.1.1 no\xff\x1b\r\n354\r\n"
)


def test_replies_one_octet_at_a_time() -> None:
    whole = ReplyReader().feed(STREAM)
    reader = ReplyReader()
    assert [r for n in range(len(STREAM)) for r in reader.feed(STREAM[n : n + 1])] == whole
    assert not reader.pending
    assert [r.code for r in whole] == [220, 250, 550, 354]
    assert whole[2].text == "5.1.1 no??"


@pytest.mark.parametrize(
    "garbage",
    [
        b"hello\r\n",
        b"25\r\n",
        b"999 x\r\n",
        b"250x\r\n",
        b"250-a\r\n550 b\r\n",
        b"\r\n",
        b"x" * (LINE_LIMIT + 1),
        b"250 " + b"x" * LINE_LIMIT + b"\r\n",
        b"250-x\r\n" * (LINES_LIMIT + 1),
    ],
)
def test_garbage_is_bounded(garbage: bytes) -> None:
    with pytest.raises(MalformedReply):
        ReplyReader().feed(garbage)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_arbitrary_octets_are_replies_or_malformed(octets: bytes) -> None:
    try:
        replies = ReplyReader().feed(octets)
    except MalformedReply:
        return
    assert all(200 <= r.code < 600 and r.text.isascii() for r in replies)


def test_what_is_passed_on() -> None:
    assert told(Reply(421, "4.3.2 closing")) == Reply(451, "4.3.2 closing")
    assert told(Reply(550, "no\nnever")) == Reply(550, "5.0.0 no\n5.0.0 never")
    assert told(Reply(354, "go")).code == 451


def test_extensions() -> None:
    peer = read_extensions(
        Reply(
            250, "x\nSIZE 1000\npipelining\nAUTH=LOGIN\nAUTH PLAIN\nXFORWARD NAME ADDR\n\nSTARTTLS"
        )
    )
    assert peer.size == 1000 and peer.pipelining and peer.starttls and not peer.eight_bit
    assert peer.auth == {"LOGIN", "PLAIN"} and peer.xforward == {"NAME", "ADDR"}
    assert read_extensions(Reply(250, "x\nSIZE nonsense")).size == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (codes(220, 250), Peer()),
        (codes(220, 502, 250), Peer()),
        (codes(554), None),
        (codes(220, 451), None),
        (codes(220, 500, 550), None),
    ],
)
def test_greeting(given: list[Reply], expected: Peer | None) -> None:
    answers = HeardReplies()
    speak(greet(answers, "gate.example.org"), given)
    assert answers.peer == expected


def test_xforward_escapes_and_says_what_is_unknown() -> None:
    peer = Peer(xforward=frozenset({"NAME", "ADDR", "PROTO", "HELO"}))
    origin = Envelope("", (), client_address="2001:db8::1", helo="a b\r\nRSET", protocol="ESMTPS")
    assert xforward(peer, origin) == [
        b"XFORWARD NAME=[UNAVAILABLE] ADDR=IPv6:2001:db8::1 PROTO=ESMTP HELO=a+20b+0D+0ARSET\r\n"
    ]
    assert xforward(Peer(), origin) == []
    long = Envelope("", (), helo="\n" * 255, client_name="x" * 255)
    assert all(len(line) <= 512 for line in xforward(peer, long))


def test_xforward_refused_changes_nothing() -> None:
    replies: dict[str, Reply] = {}
    speak(
        deliver(ALL, Mail.prepare("", RAW), TO[:1], replies, [b"XFORWARD ADDR=192.0.2.1\r\n"]),
        codes(501, 250, 250, 354, 250),
    )
    assert replies[TO[0]].code == 250
