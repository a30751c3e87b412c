"""Replies as the usual mail programs write them, in the languages of US schools' families.

Written by hand after what the programs put above a quote; the names and words are made up. Used by
the table of quote recognition and by the threads.
"""
# ruff: noqa: E501 - samples of mail stand on one line each

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass

LANGUAGES = ("English", "Spanish", "Chinese", "Vietnamese", "Arabic")
WHO, MAIL = "Lan Ruiz", "lan.ruiz@home.test"

# The line above a quote, by program and language; {who} and {mail} are the quoted author's.
GMAIL = {
    "English": "On Tue, Mar 3, 2026 at 9:14 AM {who} <{mail}> wrote:",
    "Spanish": "El mar, 3 mar 2026 a las 9:14, {who} (<{mail}>) escribió:",
    "Chinese": "{who} <{mail}> 于2026年3月3日周二 09:14写道：",
    "Vietnamese": "Vào Th 3, 3 thg 3, 2026 vào lúc 09:14 {who} <{mail}> đã viết:",
    "Arabic": "في الثلاثاء، 3 مارس 2026 في 9:14 ص تمت كتابة ما يلي بواسطة \u202a{who}\u202c\u200f <\u202a{mail}\u202c\u200f>:",
}
APPLE = {
    "English": "On Mar 3, 2026, at 9:14\u202fAM, {who} <{mail}> wrote:",
    "Spanish": "El 3 mar 2026, a las 9:14, {who} <{mail}> escribió:",
    "Chinese": "2026年3月3日 09:14，{who} <{mail}> 写道：",
    "Vietnamese": "Vào 9:14, 3 thg 3, 2026, {who} <{mail}> đã viết:",
    "Arabic": "في ٣ مارس ٢٠٢٦، الساعة ٩:١٤\u00a0ص، كتب/كتبت {who} <{mail}>:",
}
THUNDERBIRD = {
    "English": "On 3/3/26 9:14 AM, {who} wrote:",
    "Spanish": "El 3/3/26 a las 9:14, {who} escribió:",
    "Chinese": "在 2026/3/3 9:14, {who} 写道:",
    "Vietnamese": "Vào lúc 9:14 SA ngày 03/03/2026, {who} đã viết:",
    "Arabic": "في 3\u200f/3\u200f/2026 9:14 ص، كتب {who}:",
}
YAHOO = {
    "English": "On Tuesday, March 3, 2026 at 09:14:00 AM PST, {who} <{mail}> wrote:",
    "Spanish": "El martes, 3 de marzo de 2026, 09:14:00 PST, {who} <{mail}> escribió:",
    "Chinese": "在 2026年3月3日星期二 PST 上午09:14:00， {who}<{mail}> 写道：",
    "Vietnamese": "Vào 09:14:00 PST Thứ Ba, 3 tháng 3, 2026, {who} <{mail}> đã viết:",
    "Arabic": "في الثلاثاء، ٣ مارس ٢٠٢٦ في ٠٩:١٤:٠٠ ص غرينتش-٨، كتب {who} <{mail}>:",
}
# The block above a quote: author, date, recipient, subject.
OUTLOOK = {
    "English": ("From", "Sent", "To", "Subject"),
    "Spanish": ("De", "Enviado el", "Para", "Asunto"),
    "Chinese": ("发件人", "发送时间", "收件人", "主题"),
    "Vietnamese": ("Từ", "Đã gửi", "Đến", "Chủ đề"),
    "Arabic": ("من", "تاريخ الإرسال", "إلى", "الموضوع"),
}
OUTLOOK_WEB = {
    "English": ("From", "Sent", "To", "Subject"),
    "Spanish": ("De", "Enviado", "Para", "Asunto"),
    "Chinese": ("寄件者", "寄件日期", "收件者", "主旨"),
    "Vietnamese": ("Từ", "Được gửi", "Đến", "Chủ đề"),
    "Arabic": (
        "\u200f\u200fمن",
        "\u200f\u200fتم الإرسال",
        "\u200f\u200fإلى",
        "\u200f\u200fالموضوع",
    ),
}
PHONE = {
    "English": ("Original message", "From", "Date", "To", "Subject"),
    "Spanish": ("Mensaje original", "De", "Fecha", "A", "Asunto"),
    "Chinese": ("原始邮件", "发件人", "日期", "收件人", "主题"),
    "Vietnamese": ("Tin nhắn gốc", "Từ", "Ngày", "Tới", "Tiêu đề"),
    "Arabic": ("الرسالة الأصلية", "من", "التاريخ", "إلى", "الموضوع"),
}
PHONE_SIGNATURE = {
    "English": "Sent from my iPhone",
    "Spanish": "Enviado desde mi iPhone",
    "Chinese": "发自我的iPhone",
    "Vietnamese": "Đã gửi từ iPhone của tôi",
    "Arabic": "أُرسلت من الـ iPhone",
}
PROGRAMS = (
    "Outlook for Windows",
    "Outlook on the web",
    "Outlook for phones",
    "Gmail",
    "Gmail app",
    "Apple Mail",
    "iPhone",
    "Thunderbird",
    "Yahoo",
    "Samsung",
)


@dataclass(frozen=True)
class Quoted:
    """What is answered."""

    who: str = WHO
    mail: str = MAIL
    text: str = "theirs\r\nand more of theirs"
    html: str = "<p>theirs</p><p>and more of theirs</p>"


def samples() -> Iterator[tuple[str, str, str, str]]:
    """Program, language, subtype and body of each; the author wrote "mine" and "also mine"."""
    for program in PROGRAMS:
        for language in LANGUAGES:
            yield program, language, "plain", reply_text(program, language, "mine\r\nalso mine")
            yield program, language, "html", reply_html(program, language, "mine\r\nalso mine")


def attribution(program: str, language: str, quoted: Quoted) -> str:
    table = {
        "Gmail": GMAIL,
        "Gmail app": GMAIL,
        "Apple Mail": APPLE,
        "iPhone": APPLE,
        "Thunderbird": THUNDERBIRD,
        "Yahoo": YAHOO,
    }[program]
    return table[language].format(who=quoted.who, mail=quoted.mail)


def _values(quoted: Quoted) -> tuple[str, str, str, str]:
    return (f"{quoted.who} <{quoted.mail}>", "3/3/2026 9:14", "Jane Doe", "Field trip")


def reply_text(program: str, language: str, own: str, quoted: Quoted = Quoted()) -> str:
    """A text/plain answer."""
    marked = "\r\n".join(f"> {line}" if line else ">" for line in quoted.text.split("\r\n"))
    if program.startswith("Outlook"):
        labels = (OUTLOOK if program.endswith("Windows") else OUTLOOK_WEB)[language]
        if program.endswith("phones"):
            own += "\r\n\r\nGet Outlook for iOS<https://aka.ms/o0ukef>"
        block = "\r\n".join(f"{n}: {v}" for n, v in zip(labels, _values(quoted), strict=True))
        rule = "" if program.endswith("Windows") else "_" * 32 + "\r\n"
        return f"{own}\r\n\r\n{rule}{block}\r\n\r\n{quoted.text}\r\n"
    if program == "Samsung":
        separator, *labels = PHONE[language]
        block = "\r\n".join(f"{n}: {v}" for n, v in zip(labels, _values(quoted), strict=True))
        return f"{own}\r\n\r\n-------- {separator} --------\r\n{block}\r\n\r\n{quoted.text}\r\n"
    line = attribution(program, language, quoted)
    if program == "Gmail" and len(line) > 70:  # Gmail wraps it before the address
        line = line.replace(f" <{quoted.mail}", f"\r\n<{quoted.mail}", 1)
    if program == "iPhone":
        own += f"\r\n\r\n{PHONE_SIGNATURE[language]}"
        # The attribution stands inside the quote.
        return f"{own}\r\n\r\n> {line}\r\n> \r\n> \ufeff{marked[2:]}\r\n"
    if program == "Yahoo":  # indents the quote and marks nothing
        marked = "\r\n".join(f" {row}" for row in quoted.text.split("\r\n"))
        line = f"    {line}  \r\n"
    return f"{own}\r\n\r\n{line}\r\n\r\n{marked}\r\n"


def reply_html(program: str, language: str, own: str, quoted: Quoted = Quoted()) -> str:
    """A text/html answer."""
    rows = own.split("\r\n")
    theirs = quoted.html
    values = [html.escape(value) for value in _values(quoted)]
    if program == "Outlook for Windows":
        pairs = zip(OUTLOOK[language], values, strict=True)
        block = "<br>\r\n".join(f"<b>{name}:</b> {value}" for name, value in pairs)
        mine = "".join(f"<p class=MsoNormal>{row}<o:p></o:p></p>\r\n" for row in rows)
        return (
            '<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta charset="utf-8"></head>'
            f"<body lang=EN-US><div class=WordSection1>{mine}<p class=MsoNormal><o:p>&nbsp;</o:p></p>"
            "<div><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in'>"
            f"<p class=MsoNormal>{block}<o:p></o:p></p></div></div>\r\n"
            f"<p class=MsoNormal><o:p>&nbsp;</o:p></p>{theirs}</div></body></html>\r\n"
        )
    if program == "Outlook on the web":
        pairs = zip(OUTLOOK_WEB[language], values, strict=True)
        block = "<br>".join(f"<b>{name}:</b> {value}" for name, value in pairs)
        mine = "".join(f'<div class="elementToProof">{row}</div>' for row in rows)
        return (
            f'<html><body dir="ltr">{mine}<div id="appendonsend"></div>'
            '<hr style="display:inline-block;width:98%" tabindex="-1">'
            f'<div id="divRplyFwdMsg" dir="ltr"><font face="Calibri">{block}</font><div>&nbsp;</div>'
            f"</div><div>{theirs}</div></body></html>\r\n"
        )
    if program == "Outlook for phones":
        pairs = zip(OUTLOOK_WEB[language], values, strict=True)
        block = "<br>".join(f"<b>{name}:</b> {value}" for name, value in pairs)
        mine = "".join(f'<div dir="ltr">{row}</div>' for row in rows)
        return (
            f'<html><body>{mine}<div id="ms-outlook-mobile-signature">Get '
            '<a href="https://aka.ms/o0ukef">Outlook for iOS</a></div>'
            '<div id="mail-editor-reference-message-container"><div class="ms-outlook-mobile-reference-message">'
            f"<div>{block}</div>{theirs}</div></div></body></html>\r\n"
        )
    if program == "Samsung":
        separator, *labels = PHONE[language]
        pairs = zip(labels, values, strict=True)
        block = "</div><div>".join(f"{name}: {value} " for name, value in pairs)
        mine = "".join(f"<div dir='auto'>{row}</div>" for row in rows)
        return (
            f'<html><body dir="auto">{mine}<div><br></div><div align="left" style="font-size:100%;color:#000000">'
            f"<div>-------- {separator} --------</div><div>{block}</div><div><br></div></div>"
            f"{theirs}</body></html>\r\n"
        )
    line = html.escape(attribution(program, language, quoted))
    if program == "Gmail":
        mine = "".join(f"<div>{row}</div>" for row in rows)
        return (
            f'<div dir="ltr">{mine}</div><br><div class="gmail_quote gmail_quote_container">'
            f'<div dir="ltr" class="gmail_attr">{line}<br></div><blockquote class="gmail_quote" '
            'style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204)">'
            f"{theirs}</blockquote></div>\r\n"
        )
    if program == "Gmail app":
        mine = "".join(f'<p dir="ltr">{row}</p>\r\n' for row in rows)
        return (
            f'<div dir="auto">{mine}</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">'
            f'{line}<br></div><blockquote class="gmail_quote">{theirs}</blockquote></div>\r\n'
        )
    if program == "Apple Mail":
        mine = "".join(f"<div>{row}</div>" for row in rows)
        return (
            '<html><head></head><body style="overflow-wrap: break-word; line-break: after-white-space;">'
            f'{mine}<div><br></div><div><br><blockquote type="cite"><div>{line}</div><br '
            f'class="Apple-interchange-newline"><div>{theirs}</div></blockquote></div><br></body></html>\r\n'
        )
    if program == "iPhone":
        mine = "".join(f"<div>{row}</div>" for row in rows)
        return (
            f'<html><body dir="auto">{mine}<br id="lineBreakAtBeginningOfSignature"><div dir="ltr">'
            f'{PHONE_SIGNATURE[language]}</div><div dir="ltr"><br><blockquote type="cite">{line}<br><br>'
            f'</blockquote></div><blockquote type="cite"><div dir="ltr">\ufeff{theirs}</div></blockquote>'
            "</body></html>\r\n"
        )
    if program == "Thunderbird":
        mine = "".join(f"<p>{row}</p>" for row in rows)
        return (
            f'<!DOCTYPE html><html><body>{mine}<div class="moz-cite-prefix">{line}<br></div>'
            f'<blockquote type="cite" cite="mid:x@home.test">{theirs}</blockquote></body></html>\r\n'
        )
    assert program == "Yahoo", program
    mine = "".join(f'<div dir="ltr">{row}</div>' for row in rows)
    return (
        f'<html><body><div class="ydp1yahoo-style-wrap">{mine}<div><br></div></div>'
        '<div id="ydp2yahoo_quoted_1" class="ydp2yahoo_quoted"><div style="font-size:13px">'
        f"<div>{line}</div><div><br></div><div><div>{theirs}</div></div></div></div></body></html>\r\n"
    )
