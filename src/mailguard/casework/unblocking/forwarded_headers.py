"""The header blocks that mail programs write above a message they forward inline (R28).

Owns how a block is told from other lines, in every language that `quote` knows, and what stands in
it. Works on text as a reader sees it; for HTML the addresses behind names are written beside them.
Linear and bounded; nothing here is to be trusted, since anybody can type it. Must not know MIME or
what was held.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from turbohtml import TokenType

from mailguard.core.mail import safe_text
from mailguard.core.mail.address import normalise
from mailguard.core.mail.path import PathError, parse_path
from mailguard.core.text import html, quote
from mailguard.core.text.quote import Labels
from mailguard.core.text.reading import TextPart

_LONGEST_TEXT = 400_000  # characters of one text that are looked at
_MOST_LINES = 20_000
_MOST_BLOCKS = 20
_LONGEST_VALUE = 4_000
_MOST_ADDRESSES = 100  # of one value
_LABEL = 40  # characters up to the colon
_WRAPPED = 60  # characters of a line that may go on in the next
_CONTINUED = 12  # lines of one value
_SEPARATED = 3  # lines between a separator and its block

_AUTHOR, _DATE, _TO, _SUBJECT, _ID, _OTHER = "author", "date", "to", "subject", "id", "other"
_ONCE = frozenset((_AUTHOR, _DATE, _SUBJECT, _ID))
# Beyond those that replies have: what forwards say, and languages of which only blocks are known.
_MORE = (
    Labels("French", "de", "date", "pour|copie à", "sujet"),
    Labels("Italian", "mittente", "data", "destinatario", "oggetto"),
    Labels("Polish", "nadawca", "data", "adresat|kopia|dw", "temat"),
    Labels("Russian", "отправитель", "дата", "копия", "тема"),
    Labels("Ukrainian", "від кого", "дата", "копія", "тема"),
    Labels("Japanese", "送信元", "日付", "送信先", "件名"),
    Labels("Danish", "fra", "dato|sendt", "til", "emne"),
    Labels("Norwegian", "fra", "dato|sendt", "til|kopi", "emne"),
    Labels("Swedish", "från", "datum|skickat", "till|kopia", "ämne"),
    Labels("Finnish", "lähettäjä", "päivämäärä|päiväys|lähetetty", "vastaanottaja|kopio", "aihe"),
    Labels("Czech", "od", "datum|odesláno", "komu|kopie", "předmět"),
    Labels("Slovak", "od", "dátum|odoslané", "komu|pre|kópia", "predmet"),
    Labels("Hungarian", "feladó", "dátum|elküldve", "címzett|másolat|másolatot kap", "tárgy"),
    Labels(
        "Romanian", "de la|expeditorul", "dată|trimis", "către|destinatarul", "subiect|subiectul"
    ),
    Labels("Turkish", "kimden|gönderen", "tarih|gönderilen", "kime|bilgi", "konu"),
    Labels("Croatian", "šalje|od", "datum|poslano", "prima|za", "predmet|naslov"),
    Labels("Estonian", "saatja", "kuupäev", "saaja|koopia", "teema"),
)


def _labels() -> Mapping[str, str]:
    made: dict[str, str] = {}
    rows = (*quote.LABELS, *_MORE)
    for kind, names in (
        (_AUTHOR, [row.author for row in rows]),
        (_DATE, [row.date for row in rows]),
        (_TO, [row.recipient for row in rows]),
        (_SUBJECT, [row.subject for row in rows]),
        (_TO, ["bcc|cco|cci|抄送|副本|密送|密件副本|نسخة|kopya|đồng gửi|참조"]),
        (_ID, ["message-id"]),
        (_OTHER, ["reply-to|importance|attachments|priority|responder a|importancia|importância"]),
        (_OTHER, ["datos adjuntos|répondre à|antwort an|received|sender|organization|附件|回复至"]),
    ):
        for row in names:
            for name in row.split("|"):
                made.setdefault(name, kind)
    return made


_LABELS = _labels()
# Yahoo's plain text has separator and block in one line, the labels behind the values as they end.
_GLUED = re.compile(r"\s*+(-{3,20}+[^-\n]{3,80}+-{3,20}+)\s*+(?=\S)")
_LONGEST_GLUED = 3_000
_GLUED_LABELS = 12
_GLUED_ENOUGH = 3  # labels in one line
_GLUED_LABEL = re.compile(
    "(?:"
    + "|".join(sorted((n[0].upper() + n[1:] for n in _LABELS if len(n) > 1), key=len, reverse=True))
    + r"|CC|A|À)\s?[:\uff1a]\s"
)
# A field's name in a bounce that shows the original header as text.
_FIELD_NAME = re.compile(r"[A-Za-z]++(?:-[A-Za-z0-9]++)++")
_MARKS = re.compile(r"[>\s]*+")
_EMPHASIS = "*_ \t\xa0\u202f\u200e\u200f\ufeff"
_MAILTO = re.compile(r"mailto:", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s<>()\[\],;:\"|\uff1c\uff1e]+")
_ANGLED = re.compile(r"<([^<>]{3,320})>")
_BEHALF = re.compile(r"\bon behalf of\b", re.IGNORECASE)
_EDGES = "'\u2018\u2019.*_\u200e\u200f\u202a\u202c"


@dataclass(slots=True)
class Block:
    """One header block, as it was written."""

    author: str = ""
    date: str = ""
    subject: str = ""
    message_id: str = ""
    recipients: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)

    def add(self, kind: str, value: str) -> None:
        value = safe_text.line(value[:_LONGEST_VALUE]).strip(_EMPHASIS)
        self.kinds.add(kind)
        if kind == _AUTHOR:
            self.author = value
        elif kind == _DATE:
            self.date = value
        elif kind == _SUBJECT:
            self.subject = value
        elif kind == _ID:
            self.message_id = value
        elif kind == _TO:
            self.recipients.append(value)


def blocks(text: TextPart) -> list[Block]:
    """Every header block of a body text, in order: the outermost forward's first."""
    if text.subtype == "html":
        return _found(_html_rows(text), wrapped=False)
    return _found(text.text[:_LONGEST_TEXT].split("\n", _MOST_LINES)[:_MOST_LINES], wrapped=True)


def attributed(text: TextPart) -> str:
    """The line that introduces what is quoted, "On … Jane Doe <jane@x> wrote:"; "" without one.
    Old Outlooks forward so."""
    rows = quote.lines(text.visible[:_LONGEST_TEXT])
    for at, row in enumerate(rows[:_MOST_LINES]):
        if row.text.endswith((":", "\uff1a")):
            start = quote.attribution_start(rows, at)
            if start is not None:
                said = " ".join(line.text for line in rows[start : at + 1])
                return safe_text.line(said[:_LONGEST_VALUE])
    return ""


def addresses_in(value: str) -> list[str]:
    """The mailboxes that a value names, strictly read (RFC 5321 4.1.2), as `normalise` gives
    them, each once; bounded. However the program wrote them: `Name <[mailto:a@b]>`, `a@b<mailto:
    a@b>`, `Name (a@b)`."""
    found: dict[str, None] = {}
    for word in _BETWEEN.split(value[:_LONGEST_VALUE]):
        if "@" in word:
            mailbox = strict(word.strip(_EDGES))
            if mailbox:
                found.setdefault(mailbox)
                if len(found) == _MOST_ADDRESSES:
                    break
    return list(found)


def strict(word: str) -> str:
    """A mailbox as `normalise` gives it; "" for what is none, and without a dot in the domain:
    no outside sender's is so."""
    if len(word) > 320 or "." not in word.rpartition("@")[2]:
        return ""
    try:
        raw = f"<{word}>".encode()
        return normalise(parse_path(raw, smtputf8=True, null_allowed=False)) if "@" in word else ""
    except (PathError, UnicodeError):
        return ""


def author_of(value: str) -> tuple[str, str]:
    """(mailbox or "", display name) of a block's author. An address in angle brackets is the
    author's and one before it a name; of "list on behalf of somebody" somebody is."""
    behalf = list(_BEHALF.finditer(value))
    if behalf:
        value = value[behalf[-1].end() :]
    value = _MAILTO.sub("", value)
    angled = [found for match in _ANGLED.finditer(value) for found in addresses_in(match[1])]
    bare = addresses_in(value)
    mailbox = angled[-1] if angled else bare[0] if bare else ""
    shown = re.split(r"[<\[(]", value, maxsplit=1)[0].strip(" \t\"'*\xa0")
    if "@" in shown and mailbox in addresses_in(shown):
        shown = ""
    return mailbox, shown[:200]


def _unglued(rows: Sequence[str]) -> list[str]:
    """The lines, one that has a separator and a whole block in it as several."""
    out: list[str] = []
    for row in rows:
        glued = _GLUED.match(row[:_LONGEST_GLUED]) if "---" in row[:40] else None
        starts: list[int] = []
        if glued is not None:
            labels = _GLUED_LABEL.finditer(row, glued.end(), _LONGEST_GLUED)
            starts = [label.start() for label in labels][:_GLUED_LABELS]
        if glued is None or len(starts) < _GLUED_ENOUGH:
            out.append(row)
            continue
        ends = [*starts[1:], len(row)]
        values = [row[start:end] for start, end in zip(starts, ends, strict=True)]
        out += [glued[1], *values, ""]
    return out


def _found(rows: Sequence[str], *, wrapped: bool) -> list[Block]:
    found: list[Block] = []
    current: Block | None = None
    separated = False  # a separator stands above the block
    since = _SEPARATED + 1  # lines since the last separator
    blank = 0
    kind = value = above = ""
    lines = 0  # of the value

    def close() -> None:
        nonlocal current, kind, value
        if current is not None:
            current.add(kind, value)
            others = len(current.kinds & {_DATE, _TO, _SUBJECT, _ID})
            enough = _AUTHOR in current.kinds and others >= (0 if separated else 2)
            if enough and len(found) < _MOST_BLOCKS:
                found.append(current)
        current, kind, value = None, "", ""

    rows = _unglued(rows)
    for at, row in enumerate(rows):
        text = _MARKS.sub("", row, count=1).rstrip()
        if not text.strip(_EMPHASIS):
            blank += 1
            continue
        label, rest = _labelled(text)
        if current is not None:
            again = label in _ONCE and (label in current.kinds or label == kind)
            if label and not again and blank <= 1:
                current.add(kind, value)
                kind, value, lines = label, rest, 1
                blank, above = 0, text
                continue
            goes_on = (
                not label
                and not blank
                and lines < _CONTINUED
                and (
                    row[:1] in (" ", "\t")
                    or (wrapped and len(above) >= _WRAPPED)
                    or _label_follows(rows, at, {*current.kinds, kind})
                )
            )
            if goes_on:
                value, lines, above = f"{value} {text}"[:_LONGEST_VALUE], lines + 1, text
                continue
            close()
        since += 1
        blank, above = 0, text
        if label:
            current, kind, value, lines = Block(), label, rest, 1
            separated = since <= _SEPARATED
        elif _separates(text):
            since = 0
    close()
    return found


def _labelled(text: str) -> tuple[str, str]:
    """The kind of a header line and its value; ("", "") of any other."""
    if text[0] == "|":  # a table as text: "| From | Jane |"
        cells = [cell.strip() for cell in text.strip("|").split("|", 2)]
        if len(cells) > 1:
            text = f"{cells[0].rstrip(':')}: {cells[1]}"
    head = text[:_LABEL].replace("\uff1a", ":")
    colon = head.find(":")
    if colon <= 0:
        return "", ""
    label = head[:colon].strip(_EMPHASIS).casefold()
    kind = _LABELS.get(label, "")
    if not kind and _FIELD_NAME.fullmatch(label):
        kind = _OTHER
    return (kind, text[colon + 1 :]) if kind else ("", "")


def _label_follows(rows: Sequence[str], at: int, seen: set[str]) -> bool:
    """Whether the block goes on below this line, so that it belongs to the value above."""
    for row in rows[at + 1 : at + 4]:
        text = row.strip(">" + _EMPHASIS + "\r")
        if not text:
            return False
        label, _ = _labelled(text)
        if label:
            return label == _TO or label not in seen
    return False


def _separates(text: str) -> bool:
    if text[0] not in "-_*=" and text[-1] not in ":\uff1a":
        return False
    return quote.rest_start(quote.lines(text[:200])) == 0


def _html_rows(text: TextPart) -> list[str]:
    """The lines a reader sees; behind a link that writes to somebody, the address, unless it is
    what is shown."""
    if "mailto:" not in text.text[:_LONGEST_TEXT].lower():
        return text.visible[:_LONGEST_TEXT].split("\n", _MOST_LINES)[:_MOST_LINES]
    made = html.walk(text.text[:_LONGEST_TEXT])
    shown = html.blanked(made.flow, sorted(made.hidden))
    pieces: list[str] = []
    at = 0
    opened: tuple[int, str] | None = None
    for number, token in enumerate(made.tokens):
        if token.tag != "a":
            continue
        place = made.flow_at(number)
        if token.type is TokenType.START_TAG:
            href = (token.attr("href") or "").strip()
            mailto = href[:7].lower() == "mailto:"
            opened = (place, href[7:].partition("?")[0][:320]) if mailto else None
        elif opened is not None:
            if "@" not in shown[opened[0] : place]:
                pieces += (shown[at:place], f" <{opened[1]}> ")
                at = place
            opened = None
    pieces.append(shown[at:])
    return html.collapse("".join(pieces)).split("\n", _MOST_LINES)[:_MOST_LINES]
