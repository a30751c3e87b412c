"""Mailboxes: RFC 5322 lists as authors write them, and what is asked of a single address.

Owns Mailbox, Mailboxes and the look-up key `normalise`. The list parser is linear, works on the
raw octets, and rather reports than raises: where two readers could see different addresses it says
*ambiguous*. `path` owns the strict grammar of the envelope.
Must not know whose an address is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import idna

from mailguard.core.mail import encoded_words
from mailguard.core.mail.defects import ADDRESS_DEFECTS, DefectKind

DEFECTS: Final[dict[str, DefectKind]] = ADDRESS_DEFECTS
MAX_ADDRESSES: Final = 10_000
MAX_OCTETS: Final = 524_288
"""Of one field's value; what follows is not read."""
MAX_TOKENS: Final = 40_000
"""Of all values, plain mailboxes not counted: a bound on the time in hostile ones."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """RFC 5322 3.4. `address` is "" where none could be read, and otherwise as written."""

    display_name: str  # decoded; a trailing comment where there is no display name
    address: str


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """What was read from all fields of one name. `defects` are codes of `DEFECTS`."""

    boxes: tuple[Mailbox, ...] = ()
    ambiguous: bool = False  # two readers could see different addresses
    defects: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address read, in lower case, in order, repetitions kept."""
        return tuple(box.address.lower() for box in self.boxes if box.address)


def domain_of(mailbox: str) -> str:
    """The domain in lower case; "" where there is none."""
    return mailbox.rpartition("@")[2].lower() if "@" in mailbox else ""


def local_part(mailbox: str) -> str:
    """The local part as written; the whole where there is no domain."""
    return mailbox.rpartition("@")[0] if "@" in mailbox else mailbox


_UNNEEDED_QUOTES: Final = re.compile(r'"([^\s"\\()<>\[\]:;@,.]+(?:\.[^\s"\\()<>\[\]:;@,.]+)*)"')


def normalise(mailbox: str) -> str:
    """The key under which equal mailboxes are equal. Never raises.

    Lower case; the domain as A-labels (RFC 5891) without a trailing dot; quotes that the local
    part does not need are taken off (RFC 5321 4.1.2).
    """
    local, at, domain = mailbox.rpartition("@")
    if not at:
        return mailbox.lower()
    if match := _UNNEEDED_QUOTES.fullmatch(local):
        local = match[1]
    domain = domain.removesuffix(".")
    if not domain.isascii() and len(domain) <= 255:
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError, ValueError):
            pass  # no host name: equal only to itself
    return f"{local}@{domain}".lower()


def parse_author(values: Sequence[bytes]) -> Mailboxes:
    """The From fields: ambiguous besides where there is no author or a group (RFC 5322 3.6.2)."""
    read = parse_mailboxes(values)
    more = []
    if not read.addresses:
        more.append("author-missing")
    if "group" in read.defects:
        more.append("group-author")
    return Mailboxes(read.boxes, True, (*read.defects, *more)) if more else read


def parse_mailboxes(values: Sequence[bytes]) -> Mailboxes:
    """Read every mailbox of the raw values of all fields of one name. Never raises.

    Groups are opened, obsolete syntax is read and reported. No value gives no mailbox and no
    defect. Linear; at most MAX_ADDRESSES, from at most MAX_OCTETS of each value, in MAX_TOKENS.
    """
    reader = _Reader()
    if len(values) > 1:
        reader.note("field-repeated")
    for value in values:
        reader.read(value)
    defects = tuple(reader.defects)
    return Mailboxes(tuple(reader.boxes), any(DEFECTS[d].ambiguous for d in defects), defects)


_Token = tuple[str, bytes]  # (kind, octets as written)

# One plain mailbox up to its comma, for speed: nothing in it can be read in two ways. Possessive
# and bounded, so that a failure is cheap.
_PLAIN: Final = re.compile(
    rb"""[ \t]*+
    (?:(?:"(?P<quoted>[\w .,'&/-]{0,100}+)"[ \t]*+|(?P<bare>[\w .'&/-]{0,100}+))<)?+
    (?P<address>[\w+=-]++(?:\.[\w+=-]++)*+@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++)
    (?P<end>>?+)[ \t]*+(?:,|\Z)""",
    re.VERBOSE,
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# Every alternative consumes what it has seen, except an encoded word that does not end, which
# costs no more than the way to the next "?": linear.
_TOKEN: Final = re.compile(
    rb"""(?P<space>[\x00-\x20\x7f]+)
    |(?P<word>=\?[^?\x00-\x20]{1,80}\?[bBqQ]\?[^?\x00-\x20]*\?=)
    |(?P<atom>[^\x00-\x20\x7f()<>\[\]:;@\\,"]+)
    |(?P<quoted>"[^"\\]*+(?:\\.[^"\\]*+)*+(?P<quote_end>")?+)
    |(?P<literal>\[[^\[\]\\]*+(?:\\.[^\[\]\\]*+)*+(?P<literal_end>\])?+)
    |(?P<special>.)""",
    re.DOTALL | re.VERBOSE,
)
_IN_COMMENT: Final = re.compile(rb"\\.|[()]", re.DOTALL)
_QUOTED_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)
_PARTS_NAMES: Final = re.compile(r"\A[^<>,;\"]*\Z")
_BETWEEN_WORDS: Final = re.compile(r"[\s<>()\[\]\"',;:|]+")
_DOMAIN: Final = re.compile(r"[\w-]+(?:\.[\w-]+)*\.?")
_LITERAL: Final = re.compile(r"\[[^\s\[\]\\@]++\]")
_AT_SIGNS: Final = str.maketrans({"\uff20": "@", "\ufe6b": "@"})  # what the eye takes for one


class _Reader:
    """One pass over the tokens of a list; an element is what stands between two commas."""

    def __init__(self) -> None:
        self.boxes: list[Mailbox] = []
        self.defects: dict[str, None] = {}
        self.tokens = 0
        self._begin()

    def note(self, code: str) -> None:
        self.defects[code] = None

    def _begin(self) -> None:
        self.outer: list[_Token] = []  # before "<", or all there is
        self.inner: list[_Token] | None = None  # within "<" ">"
        self.inside = False
        self.comment = b""

    def read(self, value: bytes) -> None:
        value = encoded_words.unfold(value)
        if len(value) > MAX_OCTETS:
            value = value[:MAX_OCTETS]
            self.note("addresses-too-many")
        if _CONTROL.search(value):
            self.note("control-character")
        if not value.isascii():
            try:
                value.decode("utf-8")
            except UnicodeDecodeError:
                self.note("eight-bit")
        position, end, in_group = 0, len(value), False
        at_start = True  # of an element
        while position < end:
            if at_start and (position := self._read_plain(value, position)) >= end:
                break
            if len(self.boxes) >= MAX_ADDRESSES or self.tokens >= MAX_TOKENS:
                self.note("addresses-too-many")
                self._begin()
                return
            match = _TOKEN.match(value, position)
            if match is None:  # cannot be: `special` takes any octet
                break
            self.tokens += 1
            at_start = False
            kind = match.lastgroup or "special"
            octets = match[0]
            position = match.end()
            if kind != "special":
                if (kind == "quoted" and match["quote_end"] is None) or (
                    kind == "literal" and match["literal_end"] is None
                ):
                    self.note("unbalanced")
                self._add(kind, octets)
            elif octets == b"(":
                position = self._read_comment(value, position)
            elif octets == b"<":
                self._open()
            elif octets == b">":
                if not self.inside:
                    self.note("unbalanced")
                self.inside = False
            elif octets == b"," and not self.inside:
                self._flush()
                at_start = True
            elif octets == b":" and not self.inside:
                self.note("group" if not in_group and self.inner is None else "group-nested")
                in_group = True
                self._begin()
            elif octets == b";" and not self.inside:
                if not in_group:
                    self.note("semicolon")
                in_group = False
                self._flush()
            else:
                if octets == b")":
                    self.note("unbalanced")
                self._add(octets.decode("latin-1"), octets)
        if in_group:
            self.note("unbalanced")
        self._flush()

    def _read_plain(self, value: bytes, position: int) -> int:
        """Take plain mailboxes while there are any, up to the limit; where they end."""
        while len(self.boxes) < MAX_ADDRESSES and (match := _PLAIN.match(value, position)):
            quoted, bare, spec, end = match.groups()
            if (quoted is None and bare is None) == bool(end):
                break  # one angle bracket without the other
            name = (quoted or bare or b"").decode("ascii").strip()
            self.boxes.append(Mailbox(name, spec.decode("ascii")))
            position = match.end()
        return position

    def _add(self, kind: str, octets: bytes) -> None:
        if self.inside and self.inner is not None:
            self.inner.append((kind, octets))
        elif self.inner is None:
            self.outer.append((kind, octets))
        elif kind != "space":
            self.note("text-after-address")

    def _open(self) -> None:
        if self.inside:
            self.note("unbalanced")
        elif self.inner is not None:
            self.note("angle-repeated")
        self.inner = []  # the last one wins, as with most readers; it is ambiguous anyway
        self.inside = True

    def _read_comment(self, value: bytes, position: int) -> int:
        """Skip a comment, nested ones included; `position` is past its parenthesis."""
        start, depth = position, 1
        for match in _IN_COMMENT.finditer(value, position):
            if match[0] == b"(":
                depth += 1
            elif match[0] == b")":
                depth -= 1
            if not depth:
                break
        else:
            self.note("unbalanced")
            return self._end_comment(value[start:], len(value))
        return self._end_comment(value[start : match.start()], match.end())

    def _end_comment(self, comment: bytes, position: int) -> int:
        if not _PARTS_NAMES.match(comment.decode("latin-1")) or b"@" in comment:
            self.note("address-in-comment")
        self.comment = comment
        if self.inner is None or self.inside:
            self._add("comment", b"")
        return position

    def _flush(self) -> None:
        """End of an element: make its mailbox."""
        outer, inner, comment = self.outer, self.inner, self.comment
        if self.inside:
            self.note("unbalanced")
        self._begin()
        if inner is not None:
            name = self._phrase(outer) or encoded_words.decode(comment)
            spec = self._spec(inner)
            if not name and not spec:
                name = self._phrase(inner)  # "<Jane Doe>": what a mail client shows
            self._compare(name, spec, outer)
        elif any(kind == "@" for kind, _ in outer):
            name, spec = encoded_words.decode(comment), self._spec(outer)
            self._compare(name, spec, [])
        elif all(kind == "space" for kind, _ in outer):
            return  # nothing between two commas (RFC 5322 4.4)
        else:
            name, spec = self._phrase(outer) or encoded_words.decode(comment), ""
            self.note("domain-missing")
        self.boxes.append(Mailbox(name, spec))

    def _phrase(self, tokens: list[_Token]) -> str:
        """A display name's words as a reader sees them."""
        pieces: list[bytes] = []
        for kind, octets in tokens:
            if kind == "quoted":
                if b'\\"' in octets and b"<" in octets:
                    # Who does not know quoted pairs ends the quote, and reads another address.
                    self.note("unquoted-address-in-display-name")
                octets = _QUOTED_PAIR.sub(rb"\1", octets[1:].removesuffix(b'"'))
            elif kind == "space":
                octets = b" "
            elif kind == "comment":
                continue
            elif kind == "word" and not _PARTS_NAMES.match(encoded_words.decode(octets)):
                self.note("encoded-word-specials")
            if octets != b" " or pieces[-1:] != [b" "]:
                pieces.append(octets)
        return encoded_words.decode(b"".join(pieces))

    def _compare(self, name: str, spec: str, outer: list[_Token]) -> None:
        """Note an address in a display name that is not the mailbox's."""
        if any(kind == "@" for kind, _ in outer):
            written = b"".join(octets for kind, octets in outer if kind != "space")
            if written.lower() != spec.lower().encode("utf-8", "replace"):
                self.note("unquoted-address-in-display-name")
        shown = name.translate(_AT_SIGNS)
        if "@" in shown:
            for word in _BETWEEN_WORDS.split(shown):
                local, at, domain = word.partition("@")
                if at and local and domain and word.lower().rstrip(".") != spec.lower():
                    self.note("address-in-display-name")
                    return

    def _spec(self, tokens: list[_Token]) -> str:
        """An addr-spec (RFC 5322 3.4.1) from its tokens; "" without a domain."""
        while tokens and tokens[-1][0] in ("space", "comment"):
            tokens.pop()
        first = 0
        while first < len(tokens) and tokens[first][0] in ("space", "comment"):
            first += 1
        tokens = tokens[first:]
        kinds = [kind for kind, _ in tokens]
        if ":" in kinds or kinds[:1] == ["@"]:
            self.note("source-route")
            if ":" in kinds:
                last = len(kinds) - 1 - kinds[::-1].index(":")
                tokens, kinds = tokens[last + 1 :], kinds[last + 1 :]
        if "space" in kinds:
            self.note("space-in-address")
        if "comment" in kinds:
            self.note("comment-in-address")
        if "word" in kinds:
            self.note("encoded-word-in-address")
        solid = [token for token in tokens if token[0] not in ("space", "comment")]
        kinds = [kind for kind, _ in solid]
        if "@" not in kinds:
            self.note("domain-missing")
            return ""
        if kinds.count("@") > 1:
            self.note("at-in-local-part")
        at = len(kinds) - 1 - kinds[::-1].index("@")
        if kinds[:at] not in (["atom"], ["quoted"]) or kinds[at + 1 :] not in (
            ["atom"],
            ["literal"],
        ):
            self.note("malformed-address")
        local = self._local_part(b"".join(octets for _, octets in solid[:at]))
        domain = b"".join(octets for _, octets in solid[at + 1 :]).decode("utf-8", "replace")
        if not domain:
            self.note("domain-missing")
            return ""
        if not _DOMAIN.fullmatch(domain) and not _LITERAL.fullmatch(domain):
            self.note("domain-invalid")
            if "@" in domain:
                return ""
        return f"{local}@{domain}"

    def _local_part(self, octets: bytes) -> str:
        local = octets.decode("utf-8", "replace")
        if match := _UNNEEDED_QUOTES.fullmatch(local):
            local = match[1]
        if "%" in local or "!" in local:
            self.note("percent-hack")
        if "=?" in local:
            self.note("encoded-word-in-address")
        if "@" in local:
            self.note("at-in-local-part")
        if local.startswith('"'):
            self.note("quoted-local-part")
        elif local.startswith(".") or local.endswith(".") or ".." in local:
            self.note("local-part-dots")
        return local
