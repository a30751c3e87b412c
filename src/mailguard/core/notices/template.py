"""What a notice's text is: named slots in braces, and nothing more; and how texts are declared.

Whoever tells people something declares its texts as `NoticeTexts`; `config.notices` lists them all.
Must not know any text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

DISTRICT_MEANINGS = {
    "district": "the district's full name",
    "short_name": "its usual abbreviation",
    "department": "the department that runs mail",
    "spammail": "where people forward blocked mail to",
    "postmaster": "whom people may write to",
    "events_address": "the District Events mailbox; the postmaster's where there is none",
}
DISTRICT_SLOTS = frozenset(DISTRICT_MEANINGS)
"""Those that every template may use."""

# Of slots that mean the same wherever a text has them.
MESSAGE_MEANINGS = {
    "subject": "the message's Subject, at most 200 characters",
    "recipients": "those whose copies it is about; ten at most are named",
}
RULES_MEANING = {"rules": "the rules' ids, or `none`"}
WAITING_MEANINGS = {"why": "why it waits, in sentences"}
DECIDED_MEANINGS = {
    "decided_by": "who decided",
    "decided_at": "when, in the district's time",
    "remark": "what the approver wrote below the answer, as a sentence; else nothing",
    "outcome": "what became of the message, as a sentence",
}


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{slots}`; the first paragraph also stands in the SMTP reply."""

    text: str
    slots: frozenset[str]
    purpose: str  # for the reference


@dataclass(frozen=True, slots=True)
class NoticeTexts:
    """The texts of one subject by name, and what each of their slots is, for the reference.

    Raises ValueError where a slot has no meaning.
    """

    templates: Mapping[str, Template]
    meanings: Mapping[str, str]

    def __post_init__(self) -> None:
        for name, template in self.templates.items():
            unexplained = template.slots - self.meanings.keys()
            if unexplained:
                raise ValueError(f"{name}: what is {', '.join(sorted(unexplained))}?")


def together(declared: Iterable[NoticeTexts]) -> NoticeTexts:
    """All of them as one table, in their order.

    Raises ValueError where a text is declared twice, or where a slot means two things.
    """
    templates: dict[str, Template] = {}
    meanings: dict[str, str] = {}
    for texts in declared:
        twice = templates.keys() & texts.templates.keys()
        twice |= {s for s, m in texts.meanings.items() if meanings.get(s, m) != m}
        if twice:
            raise ValueError(f"declared twice: {', '.join(sorted(twice))}")
        templates |= texts.templates
        meanings |= texts.meanings
    return NoticeTexts(templates, meanings)
