"""Where somebody else's words begin, by mail program and language (R10, R12)."""
# ruff: noqa: E501 - samples of mail stand on one line each

from __future__ import annotations

import re

import pytest
from tests.support import mail_programs

from mailguard.core.text import html, plain_text, quoted_html

SAMPLES = list(mail_programs.samples())
KNOWN = ("mine", "also mine")
# What a phone's program adds under the author's words is the author's, too.
_PHONE = re.compile("iPhone|Outlook for iOS|aka.ms")


def author(subtype: str, body: str) -> tuple[str, str, str]:
    """The author's words, and what stands before and behind the place for a disclaimer."""
    if subtype == "plain":
        _, own, at = plain_text.author(body)
    else:
        made = html.walk(body)
        _, own, at = quoted_html.author(made, made.visible())
    return own, body[:at], body[at:]


def words(own: str) -> list[str]:
    return [row for row in own.splitlines() if row.strip("\ufeff ") and not _PHONE.search(row)]


def test_the_table_is_large_enough() -> None:
    assert len({(program, language) for program, language, _, _ in SAMPLES}) >= 40
    assert len(SAMPLES) >= 80


@pytest.mark.parametrize(
    ("subtype", "body"),
    [sample[2:] for sample in SAMPLES],
    ids=["-".join(sample[:3]) for sample in SAMPLES],
)
def test_only_the_authors_words_are_theirs(subtype: str, body: str) -> None:
    own, before, behind = author(subtype, body)
    assert words(own) == list(KNOWN)
    assert "also mine" in before
    assert mail_programs.WHO not in before
    assert "theirs" in behind


FROM_BLOCK = "De: Lan Ruiz\r\nEnviado: 3/3/2026\r\nPara: Jane\r\nAsunto: x\r\n"
# Others that reach a district: web mailers of families, forwards, variants of the programs above.
MORE = {
    "NetEase": '在 2026-03-03 09:14:00，"Lan Ruiz" <lan.ruiz@home.test> 写道：\r\n> theirs',
    "NetEase, English": 'At 2026-03-03 09:14:00, "Lan Ruiz" <lan.ruiz@home.test> wrote:\r\n>theirs',
    "NetEase, phone": "---- 回复的原邮件 ----\r\n| 发件人 | Lan Ruiz |\r\n\r\ntheirs",
    "QQ": "------------------\xa0原始邮件\xa0------------------\r\n发件人: Lan Ruiz\r\ntheirs",
    "Gmail, Taiwan": "Lan Ruiz <lan.ruiz@home.test> 於 2026年3月3日 週二 上午9:14寫道：\r\n\r\n> theirs",
    "Gmail, Filipino": "Noong Mar, Mar 3, 2026 nang 9:14 AM, isinulat ni Lan Ruiz <lan.ruiz@home.test>"
    " ang:\r\n\r\n> theirs",
    "Gmail, three lines": "On Tue, Mar 3, 2026 at 9:14 AM Lan Ruiz via Families of the Seventh Grade\r\n"
    "<lan.ruiz+families-of-the-seventh-grade@home.test>\r\nwrote:\r\n\r\n> theirs",
    "Apple Mail, Taiwan": "Lan Ruiz <lan.ruiz@home.test> 於 2026年3月3日 上午9:14 寫道：\r\n\r\n> theirs",
    "Apple Mail, forward": "Begin forwarded message:\r\n\r\nFrom: Lan Ruiz\r\n\r\ntheirs",
    "Apple Mail, Spanish forward": "Inicio del mensaje reenviado:\r\n\r\nDe: Lan Ruiz\r\ntheirs",
    "Apple Mail, Chinese forward": "开始转发的邮件：\r\n\r\n发件人： Lan Ruiz\r\ntheirs",
    "Apple Mail, Arabic forward": "بداية الرسالة المعاد توجيهها:\r\n\r\nمن: Lan Ruiz\r\ntheirs",
    "Gmail, forward": "---------- Forwarded message ---------\r\nDe: Lan Ruiz\r\n\r\ntheirs",
    "Thunderbird, forward": "-------- Forwarded Message --------\r\nSubject: x\r\ntheirs",
    "Thunderbird, Spanish forward": "-------- Mensaje reenviado --------\r\nAsunto: \tx\r\ntheirs",
    "Thunderbird, Chinese forward": "-------- 转发的消息 --------\r\n主题: \tx\r\ntheirs",
    "Thunderbird, Vietnamese forward": "-------- Thư chuyển tiếp --------\r\nChủ đề: x\r\ntheirs",
    "Thunderbird, Arabic forward": "-------- الرسالة المحولة --------\r\nالموضوع: x\r\ntheirs",
    "Outlook for Mac": "From: Lan Ruiz\r\nDate: Tuesday, March 3, 2026 at 9:14\u202fAM\r\n"
    "To: Jane\r\nCc: Tim\r\nSubject: x\r\n\r\ntheirs",
    "Outlook, plain": "-----Original Message-----\r\nFrom: Lan Ruiz\r\n\r\ntheirs",
    "Outlook, Spanish": "-----Mensaje original-----\r\nDe: Lan Ruiz\r\n\r\ntheirs",
    "Outlook, Chinese": "-----邮件原件-----\r\n发件人: Lan Ruiz\r\n\r\ntheirs",
    "Outlook, Vietnamese": "-----Thư gốc-----\r\nTừ: Lan Ruiz\r\n\r\ntheirs",
    "Outlook, Arabic": "-----الرسالة الأصلية-----\r\nمن: Lan Ruiz\r\n\r\ntheirs",
    "Outlook, stars": FROM_BLOCK.replace("De:", "*De:*").replace("Para:", "*Para:*") + "\r\ntheirs",
    "Right to left marks": "\u202bفي 3 مارس 2026 كتب Lan Ruiz:\u202c\r\n\r\n> theirs",
}


@pytest.mark.parametrize("quote", MORE.values(), ids=MORE)
def test_other_programs(quote: str) -> None:
    own, before, _ = author("plain", f"mine\r\nalso mine\r\n\r\n{quote}\r\nmore of theirs\r\n")
    # Behind a marked quote, unmarked words are the author's.
    kept = [row for row in words(own) if ">" not in quote.splitlines()[-1] or row[:4] != "more"]
    assert kept == list(KNOWN)
    assert before.rstrip().endswith("also mine")


@pytest.mark.parametrize(
    "text",
    [
        "On the board she wrote a list",
        "De: means from",
        "At 9 we meet. Please bring:\r\nlunch",
        "From: the office\r\nTo: you, with thanks",
        "---- New ----\r\nlunch",
        "Fecha: 3 de marzo\r\nLugar: gimnasio",
        "To: do\r\n- Subject: choose one\r\n- Date: tomorrow",
    ],
)
def test_what_only_looks_like_a_quote_is_the_authors(text: str) -> None:
    assert author("plain", f"mine\r\n{text}\r\n")[0].split() == ["mine", *text.split()]
