"""Every link of the corpus is found, changed and brought back; nothing else is."""

from __future__ import annotations

import pytest
from tests.support import link_tables as table
from tests.support.linked_mails import DISTRICT, KEYS, SEALED, Mail, judged, mails, texts, undone
from tests.support.serving import ROOT

from mailguard.core.links import sealed
from mailguard.core.mail import mime
from mailguard.core.render import render
from mailguard.core.text import reader
from mailguard.core.text.reading import Reading

EACH = pytest.mark.parametrize("mail", mails(), ids=lambda mail: mail.name)


def reading(mail: Mail) -> Reading:
    return reader.read(mime.parse(mail.raw))


def test_there_are_sixty_of_many_shapes() -> None:
    assert len(mails()) >= 60
    assert len({mail.shape for mail in mails()}) == len(mails())


@EACH
def test_each_link_is_found_and_nothing_else(mail: Mail) -> None:
    found = [(link.part, link.construct, link.target) for link in reading(mail).links]
    assert found == [(one.part, one.construct, one.target) for one in mail.links]


@EACH
def test_a_link_is_where_it_is_written(mail: Mail) -> None:
    made = reading(mail)
    by_path = {text.path: text for text in made.texts}
    for link, one in zip(made.links, mail.links, strict=True):
        text = by_path[link.part]
        coded = one.target if text.subtype == "plain" else one.target.replace("&", mail.ampersand)
        written = text.text[link.start : link.end]
        if one.construct != "a text":
            assert written == (coded if one.written is None else one.written)


@EACH
def test_the_tokens_bring_back_every_octet(mail: Mail) -> None:
    message, facts, verdict = judged(mail.raw)
    edits = texts(verdict)
    changed = render.render(message, edits)
    assert render.verify(message, changed, edits) is None
    visible = {one.part for one in mail.links if one.visible}
    result = mime.parse(changed)
    for part in message.parts:
        (now,) = (p for p in result.parts if p.path == part.path)
        wanted = [one for one in mail.links if one.part == part.path]
        before, data = reader.text_of(message, part)
        after, _ = reader.text_of(result, now)
        if not any(one.sealed or one.visible for one in wanted):
            assert mail.raw[part.start : part.end] == changed[now.start : now.end] or part.children
        elif part.path not in visible:
            subtype = part.content_type.partition("/")[2]
            again = undone(after.text, wanted, subtype, mail.ampersand)
            assert again == before.text
            assert again.encode(before.codec) == data
        else:  # what became visible text says the address, exactly
            for one in wanted:
                assert one.target in reader.read(result).texts[-1].visible or not one.visible
    # The header is as it was, List-Unsubscribe with it.
    assert changed.startswith(mail.raw[: message.root.body_start])
    assert facts.link_keys == KEYS


@EACH
def test_a_second_time_adds_nothing(mail: Mail) -> None:
    message, _, verdict = judged(mail.raw)
    changed = render.render(message, texts(verdict))
    again, _, more = judged(changed)
    assert texts(more) == []
    assert render.render(again, texts(more)) == changed


@EACH
@pytest.mark.parametrize("mode", ["warn", "off"])
def test_modes_that_change_nothing(mail: Mail, mode: str) -> None:
    message, _, verdict = judged(mail.raw, mode)
    assert texts(verdict) == []
    assert render.render(message, texts(verdict)) == mail.raw
    codes = {finding.code for finding in verdict.findings}
    clickable = any(not one.stays and one.construct != "a text" for one in mail.links)
    assert ("links.present" in codes) == (clickable and mode == "warn")


@EACH
def test_unlinked_nothing_can_be_clicked_and_every_address_is_to_be_read(mail: Mail) -> None:
    message, _, verdict = judged(mail.raw, "unlink")
    edits = texts(verdict)
    changed = render.render(message, edits)
    assert render.verify(message, changed, edits) is None
    left = {
        (link.part, link.target)
        for link in reader.read(mime.parse(changed)).links
        if link.part in {t.path for t in reading(mail).texts if t.subtype == "html"}
    }
    assert left == {(o.part, o.target) for o in mail.links if o.stays}
    _, _, more = judged(changed, "unlink")
    assert texts(more) == []


@EACH
def test_a_text_that_names_another_site_is_said(mail: Mail) -> None:
    for mode in ("copy-page", "unlink", "warn"):
        _, _, verdict = judged(mail.raw, mode)
        said = [f.evidence for f in verdict.findings if f.code == "links.deceptive"]
        assert len(said) == len(mail.deceptive), said
        for evidence, (text, site) in zip(said, mail.deceptive, strict=True):
            assert site in evidence
            assert text.removeprefix("https://").partition("/")[0] in evidence
    _, _, verdict = judged(mail.raw, "off")
    assert verdict.findings == ()


def test_a_token_is_short_and_says_nobodys_address() -> None:
    for mail in mails():
        message, _, verdict = judged(mail.raw)
        for edit in texts(verdict):
            for token in SEALED.findall(edit.replacement):
                target = sealed.open_(token, KEYS)
                assert "tara.olive" not in target
                assert len(token) <= 24 + len(target.encode()) * 4 // 3 + 3
        assert message.raw == mail.raw
    assert len(sealed.seal("https://a.test/", KEYS)) == 44
    assert DISTRICT.copy_page_url


def test_the_document_has_this_table() -> None:
    """`python -m tests.support.link_tables` writes it."""
    written = (ROOT / "docs" / "links.md").read_text()
    print(table.constructs())
    assert table.between(written, "constructs") == table.constructs()
