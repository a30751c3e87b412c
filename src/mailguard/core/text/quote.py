"""Where somebody else's words begin in a text: attributions, header blocks, separators (R10).

Owns what mail programs write above a quoted message, as tables by language, and the reading of `>`.
Works on text as a reader sees it, so the same rules serve plain text and HTML. A new language is a
row in `ATTRIBUTIONS` and `LABELS`. Must not know HTML, MIME or policy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_COLONS = ":\uff1a"
# What programs put around a line for right-to-left text, and before a quote: nobody sees it.
_UNSEEN = "\ufeff\u200b\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069 \t\xa0"
_LONGEST_ATTRIBUTION = 400  # characters, over at most this many lines:
_ATTRIBUTION_LINES = 4
_BLOCK_LINES = 10  # lines within which a header block must show itself


@dataclass(frozen=True, slots=True)
class Attribution:
    """How one language introduces a quote: "On … Jane wrote:"."""

    language: str
    openings: tuple[str, ...]  # the line begins with one of them; empty means any beginning
    closings: tuple[str, ...]  # one of them stands near the end, before the colon


ATTRIBUTIONS = (
    Attribution("English", ("on ", "at "), ("wrote",)),
    Attribution("Spanish", ("el ", "en "), ("escribió", "escribio")),
    Attribution("Chinese", ("于", "在", "於", ""), ("写道", "寫道")),
    Attribution("Vietnamese", ("vào ", "lúc ", "vao "), ("đã viết", "viết", "da viet")),
    Attribution("Tagalog", ("noong ", "nuong ", "sa "), ("isinulat", "sinulat")),
    Attribution("Arabic", ("في ", "بتاريخ "), ("كتب", "كتبت", "كتابة ما يلي بواسطة")),
    Attribution("French", ("le ",), ("a écrit", "écrit")),
    Attribution("German", ("am ",), ("schrieb",)),
    Attribution("Portuguese", ("em ", "a ", "no "), ("escreveu",)),
    Attribution("Italian", ("il ",), ("ha scritto",)),
    Attribution("Dutch", ("op ",), ("schreef", "het volgende geschreven")),
    Attribution("Polish", ("w dniu ", "dnia ", ""), ("napisał", "pisze")),
    Attribution("Russian", ("",), ("пишет", "написал", "написала")),
    Attribution("Ukrainian", ("",), ("пише", "написав")),
    Attribution("Korean", ("",), ("작성", "님이 작성")),
    Attribution("Japanese", ("",), ("のメール", "書きました")),
    Attribution("Hindi", ("",), ("ने लिखा",)),
)


def _words(*rows: str) -> frozenset[str]:
    return frozenset(word for row in rows for word in row.split("|"))


@dataclass(frozen=True, slots=True)
class Labels:
    """What stands before the colon in the block that Outlook writes above a quote."""

    language: str
    author: str
    date: str
    recipient: str
    subject: str


LABELS = (
    Labels("English", "from", "sent|date", "to|cc", "subject"),
    Labels("Spanish", "de", "enviado|enviado el|fecha", "para|a|cc", "asunto"),
    Labels(
        "Chinese",
        "发件人|寄件者|寄件人",
        "发送时间|日期|寄件日期|傳送時間",
        "收件人|收件者",
        "主题|主旨",
    ),
    Labels("Vietnamese", "từ", "đã gửi|được gửi|ngày|gửi", "tới|đến", "chủ đề|tiêu đề"),
    Labels("Tagalog", "mula kay|mula sa|mula", "ipinadala|petsa", "para kay|para sa", "paksa"),
    Labels("Arabic", "من", "تاريخ الإرسال|التاريخ|تم الإرسال", "إلى", "الموضوع"),
    Labels("French", "de", "envoyé|date", "à|cc", "objet"),
    Labels("German", "von", "gesendet|datum", "an", "betreff"),
    Labels("Portuguese", "de", "enviada|enviado|data", "para|cc", "assunto"),
    Labels("Italian", "da", "inviato|data", "a|cc", "oggetto"),
    Labels("Dutch", "van", "verzonden|datum", "aan", "onderwerp"),
    Labels("Polish", "od", "wysłano|data", "do", "temat"),
    Labels("Russian", "от", "отправлено|дата", "кому", "тема"),
    Labels("Ukrainian", "від", "надіслано|дата", "кому", "тема"),
    Labels("Korean", "보낸 사람", "보낸 날짜|날짜", "받는 사람", "제목"),
    Labels("Japanese", "差出人", "送信日時|日付", "宛先", "件名"),
    Labels("Hindi", "प्रेषक", "भेजा गया|दिनांक", "प्रति", "विषय"),
)
_AUTHOR = _words(*(row.author for row in LABELS))
_OTHERS = (
    _words(*(row.date for row in LABELS)),
    _words(*(row.recipient for row in LABELS)),
    _words(*(row.subject for row in LABELS)),
)
_ANY_CLOSING = re.compile("|".join(c for row in ATTRIBUTIONS for c in row.closings))

# Inside a line of dashes: "-----Original Message-----", "---------- Forwarded message ----------".
SEPARATORS = _words(
    "original message|forwarded message|begin forwarded message",
    "mensaje original|mensaje reenviado|message d'origine|message transféré",
    "ursprüngliche nachricht|weitergeleitete nachricht|mensagem original|mensagem encaminhada",
    "messaggio originale|messaggio inoltrato|oorspronkelijk bericht|doorgestuurd bericht",
    "原始邮件|原始郵件|转发邮件|轉寄郵件|转发的邮件|邮件原件",
    "回复的原邮件|回覆的原始郵件|转发的消息|轉寄的郵件|转发邮件信息",
    "thư gốc|thư được chuyển tiếp|thư chuyển tiếp|thư đã chuyển tiếp|tin nhắn gốc",
    "orihinal na mensahe|ipinasa na mensahe|الرسالة الأصلية|رسالة معاد توجيهها",
    "الرسالة المحولة|رسالة مُعاد توجيهها|mensahe na ipinasa",
    "исходное сообщение|пересылаемое сообщение|оригинальное сообщение|원본 메시지|元のメッセージ",
)
# Without dashes; Apple Mail writes them on a line of their own.
_FORWARD_LINES = _words(
    "begin forwarded message|inicio del mensaje reenviado|début du message transféré",
    "开始转发的邮件|開始轉寄郵件|bắt đầu thư được chuyển tiếp|bắt đầu tin nhắn được chuyển tiếp",
    "بداية الرسالة المعاد توجيهها|بداية الرسالة المُعاد توجيهها",
)


class Line(NamedTuple):
    """One line of a text; `text` is without its line end, surrounding white space and marks."""

    start: int
    end: int  # after its line end
    text: str


def lines(text: str) -> list[Line]:
    """The lines of a text that are not blank."""
    found = []
    start = 0
    size = len(text)
    for row in text.split("\n"):
        end = start + len(row) + 1
        words = row and row.strip()
        if not words.isascii():
            words = words.strip(_UNSEEN)
        if words:
            found.append(Line(start, end if end < size else size, words))
        start = end
    return found


def attribution_start(rows: list[Line], at: int) -> int | None:
    """The index of the line where an attribution that ends in line `at` begins, or None.

    Linear: at most a few lines and characters are looked at.
    """
    text = rows[at].text
    if not text.endswith((":", "\uff1a")) or len(text) > _LONGEST_ATTRIBUTION:
        return None
    tail = text[-160:].casefold()
    if not _ANY_CLOSING.search(tail):
        return None
    for row in ATTRIBUTIONS:
        if not any(closing in tail for closing in row.closings):
            continue
        joined = 0
        for first in range(at, max(-1, at - _ATTRIBUTION_LINES), -1):
            line = rows[first].text
            joined += len(line)
            if joined > _LONGEST_ATTRIBUTION:
                break
            if line.casefold().startswith(row.openings):
                return first
    return None


def rest_start(rows: list[Line], first: int = 0) -> int | None:
    """The index of the line from which on everything is somebody else's: a separator such as
    "-----Original Message-----", or a block of From:, Sent:, To:, Subject:. None when there is
    none.
    """
    for at in range(first, len(rows)):
        text = rows[at].text
        if text[0] in "-_*=>|" and _is_separator(text):
            return at
        if text[-1] in _COLONS and text.casefold().rstrip(_COLONS) in _FORWARD_LINES:
            return at
        head = text[:30]
        if (":" in head or "\uff1a" in head) and _label(head) in _AUTHOR and _is_block(rows, at):
            return _rule_above(rows, at, first)
    return None


def begins_block(text: str) -> bool:
    """Whether a text begins with a header block, in any language with colons."""
    rows = lines(text[:2_000])
    return len(rows) >= 3 and all(":" in row.text[:30] or "\uff1a" in row.text for row in rows[:3])


def _is_separator(text: str) -> bool:
    inner = text.strip("-_=* >|\t\xa0").casefold().rstrip(":")
    if len(text) - len(inner) < 6 or len(inner) > 80:
        return False
    # Notes writes "----- Forwarded by Jane Doe/Example on 01/02/2026 -----".
    return inner in SEPARATORS or inner.startswith("forwarded by ")


def _label(text: str) -> str:
    head = text[:30].replace("\uff1a", ":")
    label, colon, _ = head.partition(":")
    return label.strip("*_ \t\u200e\u200f").casefold() if colon else ""


def _is_block(rows: list[Line], at: int) -> bool:
    seen: set[int] = set()
    for row in rows[at + 1 : at + _BLOCK_LINES]:
        label = _label(row.text)
        if label:
            seen.update(n for n, names in enumerate(_OTHERS) if label in names)
    return len(seen) >= 2


def _rule_above(rows: list[Line], at: int, first: int) -> int:
    """Outlook draws a line of underscores above its block."""
    above = rows[at - 1].text if at > first else ""
    return at - 1 if len(above) >= 5 and not above.strip("_-") else at
