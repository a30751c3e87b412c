"""What marks a message as sensitive (R11)."""

from __future__ import annotations

import pytest

from mailguard.checks.disclaimer.sensitivity import field_pattern, is_marked
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail import mime
from mailguard.core.text import reader

HEAD = (
    "From: a@example.org\r\nSubject: {subject}\r\n{more}"
    "Content-Type: text/plain; charset=utf-8\r\n\r\n"
)


def marked(keywords=(), tags=(), fields=(), *, subject="x", text="", more="") -> bool:
    message = mime.parse((HEAD.format(subject=subject, more=more) + text).encode())
    return is_marked(message, reader.read(message), keywords, tags, fields)


@pytest.mark.parametrize(
    ("keyword", "text", "there"),
    [
        ("IEP", "the iep is attached", True),
        ("IEP", "the I.E.P. is attached", False),
        ("IEP", "a recIEPt", False),
        ("social security number", "her Social-Security\r\nnumber", True),
        ("medical", "> medical\r\nyes", False),
        ("medical", "On 3 Mar 2026, A wrote:\r\n> medical", False),
        ("\u673a\u5bc6", "\u8fd9\u662f\u673a\u5bc6\u6587\u4ef6", True),
        ("confidencial", "Muy CONFIDENCIAL.", True),
        ("...", "anything", False),
    ],
)
def test_keywords_in_the_authors_own_words(keyword: str, text: str, there: bool) -> None:
    assert marked((keyword,), text=text) is there


def test_the_subject() -> None:
    assert marked(("iep",), subject="Re: IEP meeting")
    assert marked(tags=("[SECURE]",), subject="=?utf-8?q?=5Bsecure=5D_grades?=")
    assert not marked(tags=("[SECURE]",), subject="secure grades")


@pytest.mark.parametrize(
    ("pattern", "more", "there"),
    [
        ("Sensitivity", "Sensitivity: Personal\r\n", True),
        ("Sensitivity", "", False),
        ("sensitivity: company-confidential", "Sensitivity: Company-Confidential\r\n", True),
        ("Sensitivity: private", "Sensitivity: Personal\r\n", False),
        ("X-Label: student", "X-Label: a\r\nX-Label: Student\r\n record\r\n", True),
    ],
)
def test_header_fields(pattern: str, more: str, there: bool) -> None:
    assert marked(fields=(field_pattern(pattern),), more=more) is there


@pytest.mark.parametrize("pattern", ["", "A B", ":", ": x", "\u00e9"])
def test_what_is_no_field_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError):
        field_pattern(pattern)


def test_what_was_not_read_counts_where_words_are_looked_for() -> None:
    message = mime.parse(b"From: a@example.org\r\n\r\nx")
    assert is_marked(message, Unavailable("late"), ("iep",), (), ())
    assert not is_marked(message, Unavailable("late"), (), ("[x]",), ("Sensitivity",))
