"""What can be wrong with a message, as stable codes with their meaning.

Owns the two tables, the mailbox lists' and the messages'; the reference of anomalies is generated
from them. Must not know how a defect is found or what policy does about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class DefectKind:
    """One code's meaning in a sentence, and whether two readers may see different mail."""

    meaning: str
    ambiguous: bool = False


def _ambiguous(meaning: str) -> DefectKind:
    return DefectKind(meaning, ambiguous=True)


ADDRESS_DEFECTS: Final[dict[str, DefectKind]] = {
    "address-in-comment": _ambiguous("A comment holds what some readers take for the address."),
    "address-in-display-name": DefectKind(
        "The display name shows an address that is not the mailbox's."
    ),
    "addresses-too-many": _ambiguous("More addresses than are read; the rest was not seen."),
    "angle-repeated": _ambiguous("Two addresses in angle brackets for one mailbox."),
    "at-in-local-part": _ambiguous("An @ within the local part, or two of them."),
    "author-missing": _ambiguous("There is no author: no From field, or one without an address."),
    "comment-in-address": _ambiguous("A comment stands inside the address itself."),
    "control-character": _ambiguous("A control character, a NUL or a bare CR or LF."),
    "domain-invalid": _ambiguous("The domain is not a host name or an address literal."),
    "domain-missing": _ambiguous("A mailbox without an @ and a domain."),
    "eight-bit": _ambiguous("8-bit octets that are not UTF-8."),
    "encoded-word-in-address": _ambiguous("An encoded word stands where only an address may."),
    "encoded-word-specials": _ambiguous("An encoded word holds characters that end or part names."),
    "field-repeated": _ambiguous("Several fields where there may be one."),
    "group": DefectKind("A named group of mailboxes."),
    "group-author": _ambiguous("The From field names a group; readers show it in different ways."),
    "group-nested": _ambiguous("A group inside a group, or a colon out of place."),
    "local-part-dots": DefectKind("Dots lead, end or repeat in the local part."),
    "malformed-address": _ambiguous("Characters stand in the address that it may not hold."),
    "percent-hack": _ambiguous("A % or ! in the local part: some readers route by it."),
    "quoted-local-part": _ambiguous(
        "The local part needs its quotes; readers unquote differently."
    ),
    "semicolon": _ambiguous("A semicolon outside a group: some readers part addresses by it."),
    "source-route": _ambiguous("An obsolete source route (RFC 5322 4.4)."),
    "space-in-address": _ambiguous("White space or a fold inside the address."),
    "text-after-address": _ambiguous("Text follows the closing angle bracket."),
    "unbalanced": _ambiguous("An angle bracket, parenthesis, bracket or quote is not closed."),
    "unquoted-address-in-display-name": _ambiguous(
        "Another address stands unquoted before the one in angle brackets."
    ),
}

MESSAGE_DEFECTS: Final[dict[str, DefectKind]] = {}
