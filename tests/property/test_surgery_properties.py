"""Edits of generated MIME trees change no byte but their own; a second pass changes nothing."""

from __future__ import annotations

import base64
import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.edited import judged, proposed

from mailguard.core.decision.edit import AddField, Wrap
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message, Part
from mailguard.core.render import render, splice
from mailguard.core.text import reader

WORDS = st.sampled_from(
    ["Hello", "caf\xe9", "\u4f60\u597d", "\u0645\u0631\u062d\u0628\u0627", "=", "--=_0", ".", "> x",
     "http://a.test/x?y=1&z", "www.b.test", "\r\n", "\r\n\r\n", "From here", " ", "\t", "\u2013",
     "On Mon, 2 Nov 2026, Lan wrote:\r\n> old", "-----Original Message-----\r\n", "x" * 90]
)  # fmt: skip
TEXT = st.lists(WORDS, max_size=8).map(" ".join)
BINARY = st.binary(max_size=200)
TEXT_KINDS = st.sampled_from(
    [
        ("text/plain; charset=utf-8", "utf-8"),
        ("text/plain; charset=us-ascii", "ascii"),
        ('text/plain; charset="iso-8859-1"; format=flowed', "cp1252"),
        ("text/plain;\r\n\tcharset=utf-8; format=flowed; delsp=yes", "utf-8"),
        ("text/plain; charset=utf-16", "utf-16"),
        ("text/plain; charset=x-unknown", "latin-1"),
        ("text/plain; charset=windows-1256", "cp1256"),
        ("text/plain; charset=gb18030", "gb18030"),
        ("text/html; charset=utf-8", "utf-8"),
        ("text/html;charset=us-ascii", "ascii"),
        ("text/html; charset=shift_jis", "shift_jis"),
        ("TEXT/HTML", "utf-8"),
    ]
)
ENCODINGS = st.sampled_from(["", "7bit", "8bit", "quoted-printable", "Base64", "binary", "x-odd"])
OTHER_KINDS = st.sampled_from(
    [
        "application/pdf; name=a.pdf",
        "text/calendar; method=REQUEST; charset=utf-8",
        "text/x-amp-html; charset=utf-8",
        "text/plain; name=notes.txt",
        "image/png",
        "application/pkcs7-signature",
        "text/csv",
    ]
)
CONTAINERS = st.sampled_from(
    ["mixed", "alternative", "related", "signed; protocol=x", "report", "parallel", "encrypted"]
)
BREAKS = st.sampled_from([b"\r\n", b"\r\n\r\n"])


@st.composite
def text_leaves(draw: st.DrawFn) -> bytes:
    kind, codec = draw(TEXT_KINDS)
    text = draw(TEXT)
    if "html" in kind.lower():
        text = f"<html><body><p>{text}</p><a href='http://c.test/'>c</a></body></html>"
    data = text.encode(codec, "replace")
    encoding = draw(ENCODINGS)
    lowered = encoding.lower()
    if codec == "utf-16":
        encoding, lowered = "base64", "base64"
    if lowered == "quoted-printable":
        data = splice.to_quoted_printable(data)
    elif lowered == "base64":
        data = base64.encodebytes(data).replace(b"\n", b"\r\n")
    head = f"Content-Type: {kind}\r\n"
    if encoding:
        head += f"Content-Transfer-Encoding: {encoding}\r\n"
    return head.encode() + b"X-Odd:  kept \t as\r\n it is\r\n\r\n" + data


@st.composite
def other_leaves(draw: st.DrawFn) -> bytes:
    kind = draw(OTHER_KINDS)
    data = base64.encodebytes(draw(BINARY)).replace(b"\n", b"\r\n")
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n"
    if draw(st.booleans()):
        head += "Content-Disposition: attachment\r\n"
    return head.encode() + b"\r\n" + data


def inner_messages(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    head = b"Content-Type: message/rfc822\r\n\r\nFrom: x@other.test\r\nMIME-Version: 1.0\r\n"
    return inner.map(lambda entity: head + entity)


@st.composite
def containers(draw: st.DrawFn, inner: st.SearchStrategy[bytes]) -> bytes:
    number = draw(st.integers(0, 10**9))
    boundary = f"=_{number}_"
    children = draw(st.lists(inner, min_size=1, max_size=3))
    preamble = draw(st.sampled_from([b"", b"a preamble\r\n"]))
    epilogue = draw(st.sampled_from([b"", b"\r\n", b"an epilogue \xff\r\n"]))
    body = b"".join(
        b"--" + boundary.encode() + b"\r\n" + child + draw(BREAKS) for child in children
    )
    head = f'Content-Type: multipart/{draw(CONTAINERS)}; boundary="{boundary}"\r\n\r\n'
    return head.encode() + preamble + body + f"--{boundary}--\r\n".encode() + epilogue


TREES = st.recursive(
    text_leaves() | other_leaves(), lambda t: containers(t) | inner_messages(t), max_leaves=8
)
MESSAGES = TREES.map(
    lambda entity: b"From: Jane <jane@example.org>\r\nSubject: x\r\nMIME-Version: 1.0\r\n" + entity
)


def outside(raw: bytes, message: Message, edited: set[str]) -> list[bytes]:
    """What stands outside the edited parts, their own headers left out too."""
    kept: list[bytes] = []
    at = 0
    for part in message.parts:
        if part.path in edited:
            kept.append(raw[at : part.start])
            at = part.end
    kept.append(raw[at:])
    return kept


def leaves(raw: bytes, message: Message, edited: set[str]) -> list[tuple[str, str]]:
    def digest(part: Part) -> str:
        return hashlib.sha256(raw[part.start : part.end]).hexdigest()

    return [(p.path, digest(p)) for p in message.parts if not p.children and p.path not in edited]


NESTED = st.sampled_from(["leave", "rewrite"])


@settings(max_examples=400, deadline=None)
@given(MESSAGES, NESTED)
def test_only_the_edited_parts_change(raw: bytes, nested: str) -> None:
    message, edits = judged(raw, "copy-page", nested)
    rendered = render.render(message, edits)
    assert render.verify(message, rendered, edits) is None
    result = mime.parse(rendered)
    edited = {edit.part for edit in edits}
    assert outside(raw, message, edited) == outside(rendered, result, edited)
    if "" not in edited:
        assert leaves(raw, message, edited) == leaves(rendered, result, edited)
    assert [p.content_type for p in message.parts] == [p.content_type for p in result.parts]
    assert [d.code for d in result.defects] == [d.code for d in message.defects]


@settings(max_examples=400, deadline=None)
@given(MESSAGES, NESTED)
def test_a_second_pass_changes_nothing(raw: bytes, nested: str) -> None:
    message, edits = judged(raw, "copy-page", nested)
    rendered = render.render(message, edits)
    again, more = judged(rendered, "copy-page", nested)
    assert render.render(again, more) == rendered


@settings(max_examples=200, deadline=None)
@given(MESSAGES, NESTED)
def test_sealed_parts_and_attachments_are_never_edited(raw: bytes, nested: str) -> None:
    message, edits = judged(raw, "copy-page", nested)
    parts = {part.path: part for part in message.parts}
    for edit in edits:
        path = edit.part
        assert parts[path].content_type in ("text/plain", "text/html")
        assert not parts[path].filenames
        assert parts[path].disposition in ("", "inline")
        while path:
            path = path.rpartition(".")[0]
            kind = parts[path].content_type
            attached = nested == "rewrite" and kind == "message/rfc822"
            assert kind.startswith("multipart/") or attached, kind
            assert kind.partition("/")[2] not in ("signed", "encrypted", "report")


SIGNED = TREES.map(
    lambda entity: (
        b"From: Jane <jane@example.org>\r\nMessage-ID: <1@example.org>\r\nContent-Type: "
        b"multipart/signed; boundary=outermost\r\n\r\n--outermost\r\n"
        + entity
        + b"\r\n--outermost\r\nContent-Type: application/pkcs7-signature\r\n\r\nAA==\r\n"
        + b"--outermost--\r\n"
    )
)


@settings(max_examples=300, deadline=None)
@given(SIGNED)
def test_what_is_wrapped_is_inside_to_the_octet_and_wrapped_once(raw: bytes) -> None:
    message, edits = proposed(raw, "copy-page", "rewrite", "wrap")
    assert sum(isinstance(edit, Wrap) for edit in edits) == 1
    rendered = render.render(message, edits)
    assert render.verify(message, rendered, edits) is None
    result = mime.parse(rendered)
    _, attached = result.root.children
    assert rendered[attached.body_start : attached.end] == raw
    assert [p.content_type for p in attached.children[0].walk()] == [
        p.content_type for p in message.parts
    ]
    again, more = proposed(rendered, "copy-page", "rewrite", "wrap")
    assert render.render(again, more) == rendered


def test_the_trees_hold_what_they_should() -> None:
    """The strategies make edits at all: else the properties above would say nothing."""
    raw = (
        b"From: jane@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
        b"boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b--\r\n"
    )
    message, edits = judged(raw, "copy-page")
    assert [edit.part for edit in edits] == ["1"]
    field = AddField("X-Mailguard-Test", "1")
    assert render.render(message, [field]) == b"X-Mailguard-Test: 1\r\n" + raw
    assert reader.read(message).texts
