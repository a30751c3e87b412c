"""Notice texts as they are declared, put together and filled."""

from __future__ import annotations

import pytest

from mailguard.config.notices import NOTICES, check_text
from mailguard.core.notices import notice
from mailguard.core.notices.template import NoticeTexts, Template, together


def one(name: str, **meanings: str) -> NoticeTexts:
    return NoticeTexts({name: Template("Dear {who}.", frozenset(meanings), "a test")}, meanings)


def test_each_subject_keeps_its_place() -> None:
    made = together((one("b", who="somebody"), one("a", why="a reason", who="somebody")))
    assert list(made.templates) == ["b", "a"]
    assert list(made.meanings) == ["who", "why"]


@pytest.mark.parametrize(
    "other", [one("a", who="somebody"), one("b", who="somebody else")], ids=["text", "slot"]
)
def test_what_is_declared_twice_is_refused(other: NoticeTexts) -> None:
    with pytest.raises(ValueError, match=r"declared twice: (a|who)$"):
        together((one("a", who="somebody"), other))


def test_a_slot_without_a_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^b: what is who\?$"):
        NoticeTexts({"b": Template("{who}", frozenset(("who",)), "a test")}, {})


@pytest.mark.parametrize("name", NOTICES.templates)
def test_every_default_text_would_pass_as_a_districts_own(name: str) -> None:
    template = NOTICES.templates[name]
    assert check_text(template.text, template.slots, name) == []


def test_an_empty_slot_leaves_no_empty_paragraph() -> None:
    text = "One {a}.\n\n{b}\n\nTwo {c} "
    slots = {"a": "{b}", "b": "", "c": "x\r\ny"}
    assert notice.paragraphs(text, slots) == "One {b}.\n\nTwo x  y"
