"""Originals of forwarded messages, and which kept message they are (R28)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import cost, forward_table
from tests.support.forward_table import (
    HELD,
    OTHERS,
    RAW,
    SENDER,
    SUBJECT,
    Forward,
    mixed,
    rfc822,
    text_mail,
)

from mailguard.casework.unblocking import forwarded
from mailguard.casework.unblocking.forwarded import Candidate, Match, Original
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message
from mailguard.core.text import reader
from mailguard.core.text.reading import Reading

TABLE = forward_table.samples()


def originals(raw: bytes) -> tuple[Original, ...]:
    message = mime.parse(raw)
    return forwarded.originals(message, reader.read(message))


def test_the_table_is_large_enough() -> None:
    assert len(TABLE) >= 60
    assert len({sample.name for sample in TABLE}) == len(TABLE)


@pytest.mark.parametrize("sample", TABLE, ids=[sample.name for sample in TABLE])
def test_a_forward_is_matched_to_what_was_held(sample: Forward) -> None:
    assert forward_table.matched(sample) == Match((HELD,), sample.how)


@pytest.mark.parametrize("sample", TABLE, ids=[sample.name for sample in TABLE])
def test_nothing_else_is_matched(sample: Forward) -> None:
    assert forwarded.match(originals(sample.raw), OTHERS) == Match()


def test_what_an_attached_original_says() -> None:
    (found,) = originals(mixed(rfc822(RAW)))
    assert found.sender == SENDER
    assert found.sender_display == "Lan Ruiz"
    assert found.recipients == ("jane.doe@example.org",)
    assert found.subject == SUBJECT
    assert found.message_id == "<abc.123@home.test>"
    assert found.date == "Tue, 3 Mar 2026 09:14:00 -0800"
    assert hashlib.sha256(RAW).hexdigest() in found.digests
    assert found.how == "attached"


def test_what_an_inline_original_says() -> None:
    text = (
        "From: Ruiz, Lan <Lan.Ruiz@HOME.test>\r\nSent: Tuesday\r\n"
        "To: Jane Doe <jane.doe@example.org>; Tim <tim.roe@example.org>\r\n"
        "Cc: ann@example.org\r\nSubject: Field trip\r\n\r\nDear Jane"
    )
    assert originals(text_mail(text)) == (
        Original(
            sender="Lan.Ruiz@home.test".lower(),
            sender_display="Ruiz, Lan",
            recipients=("jane.doe@example.org", "tim.roe@example.org", "ann@example.org"),
            subject="Field trip",
            date="Tuesday",
        ),
    )


def test_a_forward_of_a_forward_gives_both_the_outermost_first() -> None:
    outer = mixed(rfc822(text_mail("From: A <a@a.test>\r\nTo: b@b.test\r\nSubject: one\r\n\r\nx")))
    assert [(o.how, o.sender) for o in originals(outer)] == [
        ("attached", SENDER),
        ("inline", "a@a.test"),
    ]
    chain = (
        "From: Tim <tim@b.test>\r\nSent: today\r\nTo: x@x.test\r\nSubject: FW: one\r\n\r\n"
        "see below\r\n\r\n"
        "From: Ann <ann@a.test>\r\nSent: before\r\nTo: tim@b.test\r\nSubject: one\r\n\r\ntext"
    )
    assert [o.sender for o in originals(text_mail(chain))] == ["tim@b.test", "ann@a.test"]


@pytest.mark.parametrize(
    "text",
    [
        "please unblock lan.ruiz@home.test",
        "From: the office\r\nwe write to you",
        "From: Lan Ruiz <lan.ruiz@home.test>\r\nThanks",
        "When: Friday\r\nWhere: the gym\r\nSubject: to change",
        "To: do\r\nDate: tomorrow\r\nSubject: choose one",
        "",
    ],
)
def test_what_is_no_forward(text: str) -> None:
    assert originals(text_mail(text)) == ()


@pytest.mark.parametrize(
    ("author", "sender"),
    [
        ("Lan <lan@home.test>", "lan@home.test"),
        ("lan@home.test", "lan@home.test"),
        ("Lan [mailto:lan@home.test]", "lan@home.test"),
        ("Lan <[mailto:lan@home.test]>", "lan@home.test"),
        ("lan@home.test<mailto:lan@home.test>", "lan@home.test"),
        ("Lan (lan@home.test)", "lan@home.test"),
        ("'lan@home.test'", "lan@home.test"),
        ('"jane.doe@example.org" <lan@home.test>', "lan@home.test"),
        ("O'Hara <o'hara@home.test>", "o'hara@home.test"),
        ("Lan ＜lan@home.test＞", "lan@home.test"),
        ("Lan", ""),
        ("Lan <lan@@home.test>", ""),
        ("Lan <lan%home.test@relay.test>", ""),
        ("Lan <\u202elan@home.test>", "lan@home.test"),
        ("Lan <lan@home .test>", ""),
    ],
)
def test_the_authors_address_is_read_strictly(author: str, sender: str) -> None:
    text = f"From: {author}\r\nSent: today\r\nTo: jane.doe@example.org\r\nSubject: x\r\n\r\ny"
    (found,) = originals(text_mail(text))
    assert found.sender == sender


def test_what_is_shown_is_one_safe_line() -> None:
    text = (
        "From: A\u202eB\x07 <a@a.test>\r\nDate: x\u2028y\r\nTo: b@b.test\r\n"
        "Subject: one\x00two\r\n\r\n"
    )
    (found,) = originals(text_mail(text))
    assert (found.sender_display, found.date, found.subject) == ("AB", "x y", "onetwo")


def candidate(hold: int, subject: str, to: str = "jane.doe@example.org") -> Candidate:
    return Candidate(hold, f"<{hold}@x>", str(hold) * 64, SENDER, subject, (to,))


def test_several_that_fit_are_all_given_unless_a_recipient_tells() -> None:
    two = (candidate(1, "Hello"), candidate(2, "RE: hello", "tim.roe@example.org"))
    without = Original(sender=SENDER, subject="Fwd: Hello")
    match = forwarded.match([without], two)
    assert match == Match(two, "subject")
    assert match.ambiguous
    told = Original(sender=SENDER, subject="Hello", recipients=("tim.roe@example.org",))
    assert forwarded.match([told], two) == Match((two[1],), "subject")


def test_copies_of_one_message_are_not_ambiguous() -> None:
    copies = (
        HELD,
        Candidate(11, HELD.message_id, HELD.digest, SENDER, SUBJECT, ("tim.roe@example.org",)),
    )
    match = forwarded.match(originals(mixed(rfc822(RAW))), copies)
    assert match == Match(copies, "digest")
    assert not match.ambiguous


def test_the_innermost_original_goes_before_what_forwards_it() -> None:
    outer, inner = candidate(1, "outer"), candidate(2, "inner")
    found = [Original(sender=SENDER, subject="outer"), Original(sender=SENDER, subject="inner")]
    assert forwarded.match(found, (outer, inner)).candidates == (inner,)


def test_without_an_address_the_subject_alone_is_said_to_tell() -> None:
    held = candidate(1, "Hello")
    assert forwarded.match([Original(subject="hello")], [held]) == Match((held,), "subject-alone")
    assert forwarded.match([Original(subject="")], [candidate(1, "")]) == Match()
    assert forwarded.match([Original(sender="b@b.test", subject="hello")], [held]) == Match()


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("RE: Fwd: FW: Hello", "hello"),
        ("Re[2]: hello", "hello"),
        ("AW: WG: Hello", "hello"),
        ("回复：转发：你好", "你好"),
        ("[EXTERNAL] Re: [SPAM] Hello", "hello"),
        ("[Math] Hello", "math hello"),
        ("=?utf-8?b?SGVsbG8=?=", "hello"),
        ("Hello   –  world", "hello world"),
        ("Report: hello", "report hello"),
        ("re:", ""),
        ("!!!", "!!!"),
    ],
)
def test_subjects_are_compared_in_one_form(written: str, folded: str) -> None:
    assert forwarded.folded_subject(written) == folded


def test_depth_and_number_are_bounded() -> None:
    raw = RAW
    for _ in range(20):
        raw = mixed(rfc822(raw))
    assert 5 <= len(originals(raw)) <= 10
    parts = [rfc822(RAW.replace(b"abc", b"%d" % n)) for n in range(200)]
    assert len(originals(mixed(*parts))) == forwarded.MOST


PIECES = [
    *(
        "From: ",
        "Sent: ",
        "To: ",
        "Subject: ",
        "\r\n",
        "\r\n\r\n",
        "> ",
        "a@b.test",
        "<",
        ">",
        "\t",
    ),
    *("[mailto:", "-----Original Message-----", "| From | x |", "On x wrote:", "Message-ID: <a@b>"),
    *("发件人：", "主题：", "Ann ", "<a href='mailto:x@y.test'>", "</a>", "<br>", "\x00", "\u202e"),
    *("on behalf of ", "=?utf-8?q?x?=", "----- x ----- From: a@b To: c@d Subject: e"),
]
_text = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@settings(max_examples=200, deadline=None)
@given(_text, st.sampled_from(["plain", "html"]), st.binary(max_size=200))
def test_anything_is_read_within_bounds(text: str, kind: str, octets: bytes) -> None:
    for raw in (text_mail(text, kind), mixed(rfc822(text.encode())), octets, mixed(rfc822(octets))):
        found = originals(raw)
        assert len(found) <= forwarded.MOST
        for original in found:
            shown = (original.sender, original.sender_display, original.subject, original.date)
            assert all(line.isprintable() and len(line) <= 500 for line in shown)
        forwarded.match(found, (HELD, *OTHERS))


@pytest.mark.parametrize(
    "text",
    [
        cost.growing("From: a@b.test\r\n", 2_500),
        cost.growing("y, ", 100_000, before="From: a@b.test\r\nTo: x\r\n"),
        cost.growing("To: x\r\n", 5_000),
        cost.growing("<", 4_500, before="From: "),
        cost.growing("on behalf of ", 450, before="From: "),
        cost.growing("From: ", 800, before="----- x ----- "),
        cost.growing("---", 100_000),
        cost.growing("From: <", 50_000),
        cost.growing("x wrote:\r\n", 3_000),
    ],
    ids=str,
)
def test_hostile_text_is_read_in_linear_time(text: cost.Growing[str]) -> None:
    def parsed(text: str) -> tuple[Message, Reading]:
        message = mime.parse(text_mail(text))
        return message, reader.read(message)

    cost.assert_linear(text.then(parsed), lambda mail: forwarded.originals(*mail))
