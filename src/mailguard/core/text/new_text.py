"""What a person newly wrote in a mail: no quote, sign-off, signature or disclaimer (R10, R31).

Owns the line of our questions above which people answer, and where a sign-off begins when no
directory says who writes. What a mail program quotes is `quote`'s, found by `reading`. Linear and
bounded. Must not know what the words mean.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from mailguard.core.mail.message import Message
from mailguard.core.text import folding
from mailguard.core.text.reading import Reading, TextPart

MARKER = "Please reply above this line."
"""Stands on a line of its own above everything that our questions say: from there on nothing is
the answerer's, even where a mail program marks no quote."""

_MARKER = re.compile(r"please\W{1,9}reply\W{1,9}above\W{1,9}this\W{1,9}line", re.IGNORECASE)
# In a language that `quote` does not know: a line with a date that ends in a colon.
_ATTRIBUTION = re.compile(r"\n(?=[^\n]{0,300}\d)[^\n]{1,300}[:\uff1a]\s{0,9}\W{0,9}\Z")
_APOSTROPHES = str.maketrans("", "", "'\u2018\u2019\u02bc`\u00b4")
_NOT_A_WORD = re.compile(r"[\W_]+")
_LONGEST = 20_000  # characters of one rendering's own words
_MOST = 400  # lines of them
_LONGEST_CLOSING = 5  # words of "Many thanks, Jane Doe"
_LONGEST_NAME = 5


def listed(*rows: str) -> tuple[str, ...]:
    """What stands between the bars of some rows."""
    return tuple(item for row in rows for item in row.split("|"))


_CLOSINGS = tuple(
    closing.split()
    for closing in listed(
        "thanks|thank you|many thanks|thx|regards|best|best regards|kind regards|warm regards",
        "kindest regards|best wishes|sincerely|cheers|respectfully|cordially|yours|yours truly",
        "take care|all the best|warmly|gracias|muchas gracias|saludos|saludos cordiales",
        "un saludo|atentamente|cordialmente|trân trọng|cảm ơn|thân mến|谢谢|謝謝|此致|祝好|salamat",
        "maraming salamat|شكرا|تحياتي|مع التحية|مع تحياتي|merci|cordialement|obrigado|obrigada",
        "atenciosamente|спасибо|с уважением|감사합니다",
    )
)
_SENT_FROM = listed(
    "sent from|get outlook for|sent with|sent using|sent via|from my iphone|from my ipad",
    "enviado desde|enviado con|obtener outlook|发自我的|發自我的|從我的|从我的|đã gửi từ|gửi từ",
    "أرسلت من|ارسلت من|تم الإرسال من|ipinadala mula|envoyé de|envoyé depuis|enviado do",
    "отправлено с|yahoo mail|나의 iphone에서",
)
_NOTICES = listed(
    "confidential|confidentiality|this message|this e mail|this email|this communication",
    "this transmission|this electronic|the information|the contents|information contained|notice",
    "disclaimer|privileged|legal notice|privacy notice|privacy|ferpa|warning|caution|external",
    "aviso|este mensaje|este correo|la información|ce message|ce courriel|esta mensagem",
    "email correspondence|e mail correspondence|all e mail|all email|pursuant to|under",
)
_LEGAL = listed(
    "confidential|privileged|intended|recipient|unauthorized|unauthorised|prohibited|disclosure",
    "distribution|notify|in error|delete|retaining|public record|public disclosure",
    "family educational|virus|liability|destinatario|prohibid|eliminar|notifique|divulgación",
    "destinataire|interdit|destinatário|sender immediately",
)
_LEGAL_ENOUGH = 3  # such words, or it may be a condition and no disclaimer
_NOTICE_LINES = 20
_OPINIONS = re.compile(r"\W*(?:the |any |all |these )?(?:views|opinions)\b", re.IGNORECASE)
_OWN = re.compile(r"\b(?:own|employer|district|necessarily|reflect|represent)\b", re.IGNORECASE)
_ENVIRONMENT = re.compile(r"\W*please consider the environment", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OwnWords:
    """One rendering's lines, none blank. What is in neither was a disclaimer."""

    rows: tuple[str, ...]
    signature: tuple[str, ...]  # from the sign-off, the name, "--" or "Sent from my" on
    truncated: bool = False


def own_words(message: Message, reading: Reading) -> tuple[OwnWords, ...]:
    """What the author newly wrote, once for each rendering that a client may show: that of the
    plain texts and that of the HTML. They are one where there are no alternatives."""
    names = _names(message)
    return tuple(_own(texts, names, reading.truncated) for texts in renderings(message, reading))


def renderings(message: Message, reading: Reading) -> tuple[tuple[TextPart, ...], ...]:
    """The body texts as clients put them together (RFC 2046 5.1.4): of alternatives the plain one,
    and the HTML one. One rendering where both are the same."""
    inside: dict[str, str] = {}  # a text's path: that of the outermost alternative it is in
    kinds: dict[str, set[str]] = {}
    alternatives = {p.path for p in message.parts if p.content_type == "multipart/alternative"}
    for text in reading.texts:
        steps = text.path.split(".") if text.path else []
        for count in range(len(steps)):
            path = ".".join(steps[:count])
            if path in alternatives:
                inside[text.path] = path
                kinds.setdefault(path, set()).add(text.subtype)
                break

    def shown(preferred: str) -> tuple[TextPart, ...]:
        return tuple(
            text
            for text in reading.texts
            if text.subtype == preferred
            or preferred not in kinds.get(inside.get(text.path, "-"), ())
        )

    plain, rich = shown("plain"), shown("html")
    return (plain,) if plain == rich else (plain, rich)


def _own(texts: Sequence[TextPart], names: Sequence[Sequence[str]], truncated: bool) -> OwnWords:
    visible = "\n".join(text.author_visible for text in texts)
    cut = _MARKER.search(visible, 0, _LONGEST + 200)
    if cut is not None:
        visible = _ATTRIBUTION.sub("", visible[: cut.start()])
    if len(visible) > _LONGEST:
        visible, truncated = visible[:_LONGEST], True
    rows = [row.strip("\ufeff\xa0 \t\r") for row in visible.split("\n")]
    rows = [row for row in rows if row and row[0] != ">"]
    if len(rows) > _MOST:
        rows, truncated = rows[:_MOST], True
    rows = _without_notices(rows)
    end = next((at for at in range(len(rows)) if _signs_off(rows, at, names)), len(rows))
    return OwnWords(tuple(rows[:end]), tuple(rows[end:]), truncated)


def words_of(text: str) -> list[str]:
    """The words of a text in one form: no case, punctuation, apostrophes or vowel signs."""
    return _NOT_A_WORD.sub(" ", bare(text)).split()


def bare(text: str) -> str:
    """A text without case, invisible characters, apostrophes, and what combines with a letter
    though Unicode has no letter for both: Arabic vowel signs, the variants of an emoji."""
    text = folding.caseless(text.translate(_APOSTROPHES))
    if text.isascii():
        return text
    return "".join(c for c in text if unicodedata.category(c) != "Mn")


def _names(message: Message) -> list[list[str]]:
    """The words of the names that the author's address is shown with."""
    names = (words_of(box.display_name[:200]) for box in message.author.boxes[:3])
    return [name for name in names if name]


def _signs_off(rows: Sequence[str], at: int, names: Sequence[Sequence[str]]) -> bool:
    row = rows[at]
    if len(row) >= 2 and not row.strip("-_=*\u2013\u2014 "):
        return True
    words = words_of(row[:200])
    if not words:
        return False
    if " ".join(words).startswith(_SENT_FROM):
        return True
    if at == 0:  # only a full name: "Thanks" and what may be a short answer say something
        return len(words) > 1 and _is_name(words, names)
    if len(words) <= _LONGEST_CLOSING:
        taken = max((len(c) for c in _CLOSINGS if words[: len(c)] == c), default=0)
        rest = words[taken:]
        if taken and rest:  # "Thanks, Jane", not "Thanks, but no"
            return _is_name(rest, names)
        if taken:
            return at + 1 == len(rows) or _introduces(rows[at + 1], names)
    return _is_name(words, names) or any(
        len(name) > 1 and words[: len(name)] == list(name) for name in names
    )


def _is_name(words: Sequence[str], names: Sequence[Sequence[str]]) -> bool:
    return len(words) <= _LONGEST_NAME and any(all(w in name for w in words) for name in names)


def _introduces(row: str, names: Sequence[Sequence[str]]) -> bool:
    """Whether the line below a closing can be a name. Where the author's is known it must be that
    one: a condition may stand below "Thanks." as well."""
    words = words_of(row[:200])
    if names:
        return len(words) <= 2 * _LONGEST_NAME and any(w in name for name in names for w in words)
    shown = row[:200].split()
    return len(shown) <= _LONGEST_NAME and all(not word[0].islower() for word in shown)


def _without_notices(rows: list[str]) -> list[str]:
    """The lines without disclaimers; what is written below one stays."""
    kept: list[str] = []
    at = 0
    while at < len(rows):
        length = _notice_length(rows, at)
        if not length:
            kept.append(rows[at])
        at += max(length, 1)
    return kept


def _notice_length(rows: Sequence[str], at: int) -> int:
    """How many lines from here on are a disclaimer; 0 where none begins."""
    row = rows[at]
    if _ENVIRONMENT.match(row):
        return 1
    if _OPINIONS.match(row) and _OWN.search(row):
        return 1
    if not folding.folded(row[:80]).startswith(_NOTICES):
        return 0
    seen: set[str] = set()
    length = 0
    for count, line in enumerate(rows[at : at + _NOTICE_LINES], 1):
        lowered = line.lower()
        told = [word for word in _LEGAL if word in lowered]
        if told:
            seen.update(told)
            length = count
    return length if len(seen) >= _LEGAL_ENOUGH else 0
