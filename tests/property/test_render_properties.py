"""Edits change what they say and nothing else, whatever the message."""

from __future__ import annotations

import quopri
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.edited import DISTRICT, judged, messages

from mailguard.core.decision.edit import ReplaceText
from mailguard.core.decision.facts import Facts
from mailguard.core.mail import mime
from mailguard.core.render import render, splice
from mailguard.core.text import reader


@given(st.binary(max_size=2_000))
def test_no_edits_give_the_same_bytes(raw: bytes) -> None:
    assert render.render(mime.parse(raw), ()) == raw


@settings(max_examples=300, deadline=None)
@given(messages(), st.sampled_from(["copy-page", "unlink"]))
def test_the_outcome_is_the_plan_and_a_second_pass_adds_nothing(raw: bytes, mode: str) -> None:
    message, edits = judged(raw, mode)
    rendered = render.render(message, edits)
    assert render.verify(message, rendered, edits) is None
    _, more = judged(rendered, mode)
    for edit in more:
        # Dropping the tags of misnested links may join what they kept apart, never bring back one.
        assert "CONFIDENTIALITY" not in edit.replacement
    if mode == "copy-page":
        assert more == [], (raw, rendered)


@settings(max_examples=300, deadline=None)
@given(messages(), st.data())
def test_an_edit_changes_no_byte_outside_its_part(raw: bytes, data: st.DataObject) -> None:
    message = mime.parse(raw)
    editable = [text for text in reader.read(message).texts if text.editable]
    if not editable:
        return
    text = data.draw(st.sampled_from(editable))
    start = data.draw(st.integers(0, len(text.text)))
    end = data.draw(st.integers(start, len(text.text)))
    new = data.draw(st.sampled_from(["", "x", "a=b\r\nc", "\u00e9\u4f60", "y" * 300]))
    edits = [ReplaceText(text.path, start, end, new)]
    rendered = render.render(message, edits)
    assert render.verify(message, rendered, edits) is None
    part = next(p for p in message.parts if p.path == text.path)
    after = len(raw) - part.end
    assert rendered[len(rendered) - after :] == raw[part.end :]
    assert rendered.startswith(raw[: part.start])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 75), st.booleans())
def test_quoted_printable_brings_back_any_octets(data: bytes, column: int, ends: bool) -> None:
    written = splice.to_quoted_printable(data, column, ends)
    assert quopri.decodestring(written) == data
    lines = written.split(b"\r\n")
    assert column + len(lines[0]) <= 76
    assert all(len(line) <= 76 for line in lines[1:])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=1_000))
def test_reading_never_raises(body: bytes) -> None:
    for kind in (b"text/html", b"text/plain"):
        message = mime.parse(b"Content-Type: " + kind + b"\r\n\r\n" + body)
        for text in reader.read(message).texts:
            assert 0 <= text.insert_at <= len(text.text)
            for link in text.links:
                assert link.start <= link.end <= len(text.text)


def test_facts_do_not_show_keys() -> None:
    facts = Facts(0.0, DISTRICT, link_keys=(b"secret",))
    assert "secret" not in repr(facts)
    assert replace(facts, link_keys=()) != facts
