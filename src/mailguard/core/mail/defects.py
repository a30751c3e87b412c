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

MESSAGE_DEFECTS: Final[dict[str, DefectKind]] = {
    "bare-line-end": _ambiguous("A CR or LF on its own among CRLF line ends."),
    "base64-garbage": _ambiguous("Characters in a base64 body that readers skip or stop at."),
    "base64-padding-inside": _ambiguous("Text goes on after base64 padding; some readers stop."),
    "boundary-duplicated": _ambiguous("A multipart has the boundary of one around it."),
    "boundary-invalid": _ambiguous("A boundary over 70 octets or with signs it may not have."),
    "boundary-missing": _ambiguous("A multipart without a boundary, or with an empty one."),
    "boundary-repeated": _ambiguous("Content-Type gives two boundaries."),
    "boundary-with-text": _ambiguous("A line begins like a boundary and goes on."),
    "composite-encoded": _ambiguous("A multipart or message part with a transfer encoding."),
    "content-type-invalid": _ambiguous("Content-Type is not type/subtype."),
    "defects-too-many": _ambiguous("More defects than are listed."),
    "epilogue-text": DefectKind("Text follows the last part of a multipart."),
    "epilogue-with-part": _ambiguous("What follows the last part looks like another part."),
    "field-duplicated": _ambiguous("A field that may stand once stands several times."),
    "field-name-invalid": _ambiguous("A header line's name has characters that no name has."),
    "field-without-colon": _ambiguous("A header line without a colon: some readers end there."),
    "fields-too-many": _ambiguous("More header fields than are read; the rest is taken for body."),
    "filename-unquoted": DefectKind("A file name with spaces stands without quotes."),
    "header-blank-fold": _ambiguous("A header line of white space only: some readers end there."),
    "header-line-too-long": DefectKind("A header line over 998 octets."),
    "header-missing": DefectKind("A body without a header."),
    "header-not-utf8": DefectKind("8-bit octets in a header that are not UTF-8."),
    "header-nul": _ambiguous("A NUL in a header."),
    "line-ends-lf": DefectKind("Every line ends in LF without CR."),
    "mbox-from-line": DefectKind("The message begins with a mailbox file's From line."),
    "message-partial": _ambiguous(
        "A fragment of a message (RFC 2046 5.2.2): nobody sees it whole."
    ),
    "multipart-unclosed": DefectKind("A multipart's closing boundary is missing."),
    "multipart-without-parts": _ambiguous("A multipart in which its boundary opens no part."),
    "nul": _ambiguous("A NUL octet: some readers end there."),
    "parameter-extended": _ambiguous("A boundary or charset in RFC 2231's form, which few read."),
    "parameter-malformed": _ambiguous("A parameter that is not name=value."),
    "parameter-repeated": _ambiguous("A parameter is given twice."),
    "parameter-sections": _ambiguous("Sections of a parameter (RFC 2231) are missing."),
    "parameters-too-many": _ambiguous("More parameters than are read."),
    "parts-too-many": _ambiguous("More parts than are read; the rest was not seen."),
    "preamble-text": DefectKind("Text stands before the first part of a multipart."),
    "preamble-with-part": _ambiguous("What stands before the first part looks like another part."),
    "quoted-printable-malformed": DefectKind("An = in quoted-printable that encodes nothing."),
    "space-before-colon": _ambiguous("White space between a field's name and its colon."),
    "too-deep": _ambiguous("Nested deeper than is read; what is inside was not seen."),
    "transfer-encoding-unknown": _ambiguous("A Content-Transfer-Encoding that is not known."),
}
