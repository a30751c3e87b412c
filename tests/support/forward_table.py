"""One blocked message, forwarded to spammail@ by the usual mail programs in their own shapes.

Written by hand after what the programs write; names and words are made up. `python -m
tests.support.forward_table` prints which forwards are matched to the kept message.
"""
# ruff: noqa: E501 - samples of mail stand on one line each

from __future__ import annotations

import hashlib
import html
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.support.mail_programs import LANGUAGES, OUTLOOK, OUTLOOK_WEB, PHONE

from mailguard.casework.unblocking import forwarded
from mailguard.core.mail import mime
from mailguard.core.notices import notice
from mailguard.core.people.district import District
from mailguard.core.text import reader

WHO, SENDER, TO = "Lan Ruiz", "lan.ruiz@home.test", "jane.doe@example.org"
SUBJECT = "Who can drive? Field trip on Friday – Oak School"
ENCODED_SUBJECT = "=?utf-8?q?Who_can_drive=3F_Field_trip_on_Friday_=E2=80=93_Oak_School?="
MESSAGE_ID = "<abc.123@home.test>"
DATE = "Tue, 3 Mar 2026 09:14:00 -0800"
BODY = "Dear Jane,\r\nI can take four children.\r\nLan"
RAW = (
    f"From: {WHO} <{SENDER}>\r\nTo: Jane Doe <{TO}>\r\nSubject: {ENCODED_SUBJECT}\r\n"
    f"Date: {DATE}\r\nMessage-ID: {MESSAGE_ID}\r\nMIME-Version: 1.0\r\n"
    f"Content-Type: text/plain; charset=utf-8\r\n\r\n{BODY}\r\n"
).encode()
HELD = forwarded.Candidate(7, MESSAGE_ID, hashlib.sha256(RAW).hexdigest(), SENDER, SUBJECT, (TO,))
OTHERS = (
    forwarded.Candidate(8, "<other.1@home.test>", "1" * 64, SENDER, "Another matter", (TO,)),
    forwarded.Candidate(9, "<x@elsewhere.test>", "2" * 64, "tim@elsewhere.test", SUBJECT, (TO,)),
    forwarded.Candidate(10, "<y@home.test>", "3" * 64, SENDER, "", ("tim.roe@example.org",)),
)
DISTRICT = District(
    name="Oak District",
    short_name="OD",
    domains=("example.org",),
    spammail="spammail@example.org",
    postmaster="postmaster@example.org",
    authserv_id="mx.example.org",
)
SENDER_FIELDS = (
    f"From: {WHO} <{SENDER}>\r\nTo: spammail@example.org\r\nSubject: Fwd: {ENCODED_SUBJECT}\r\n"
)

GMAIL = {
    "English": ("---------- Forwarded message ---------", "From", "Date", "Subject", "To"),
    "Spanish": ("---------- Forwarded message ---------", "De", "Date", "Subject", "To"),
    "Chinese": ("---------- Forwarded message ---------", "发件人", "Date", "Subject", "To"),
    "Vietnamese": ("---------- Forwarded message ---------", "Từ", "Date", "Subject", "To"),
    "Arabic": ("---------- Forwarded message ---------", "من", "Date", "Subject", "To"),
}
APPLE = {
    "English": ("Begin forwarded message:", "From", "Subject", "Date", "To"),
    "Spanish": ("Inicio del mensaje reenviado:", "De", "Asunto", "Fecha", "Para"),
    "Chinese": ("开始转发的邮件：", "发件人", "主题", "日期", "收件人"),
    "French": ("Début du message transféré :", "De", "Objet", "Date", "À"),
}
THUNDERBIRD = {
    "English": ("Forwarded Message", "Subject", "Date", "From", "To"),
    "Spanish": ("Mensaje reenviado", "Asunto", "Fecha", "De", "Para"),
    "Chinese": ("转发的消息", "主题", "日期", "发件人", "收件人"),
    "German": ("Weitergeleitete Nachricht", "Betreff", "Datum", "Von", "An"),
}
MORE_OUTLOOK = {
    "German": ("Von", "Gesendet", "An", "Betreff"),
    "French": ("De", "Envoyé", "À", "Objet"),
}


@dataclass(frozen=True)
class Forward:
    """One forward; `how` it is to be matched."""

    name: str
    raw: bytes
    how: str = "subject"


def text_mail(text: str, kind: str = "plain", fields: str = SENDER_FIELDS) -> bytes:
    return f"{fields}MIME-Version: 1.0\r\nContent-Type: text/{kind}; charset=utf-8\r\n\r\n{text}\r\n".encode()


def both(text: str, rich: str) -> bytes:
    """multipart/alternative, the HTML in base64."""
    coded = b64encode(rich.encode()).decode()
    return (
        f"{SENDER_FIELDS}MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=alt\r\n\r\n"
        f"--alt\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        f"--alt\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{coded}\r\n--alt--\r\n"
    ).encode()


def mixed(*parts: bytes, note: str = "please unblock this") -> bytes:
    edge = f"mix{sum(map(len, parts))}"  # another one for each that is within another
    head = f"{SENDER_FIELDS}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary={edge}\r\n\r\n"
    text = f"Content-Type: text/plain; charset=utf-8\r\n\r\n{note}".encode()
    between = f"\r\n--{edge}".encode()
    return (
        head.encode()
        + b"".join(between + b"\r\n" + p for p in (text, *parts))
        + between
        + b"--\r\n"
    )


def values(**other: str) -> dict[str, str]:
    """What stands behind each kind of label."""
    return {
        "who": f"{WHO} <{SENDER}>",
        "date": "Tuesday, March 3, 2026 9:14 AM",
        "to": f"Jane Doe <{TO}>",
        "subject": SUBJECT,
    } | other


def outlook(labels: Sequence[str], **other: str) -> str:
    v = values(**other)
    rows = zip(labels, (v["who"], v["date"], v["to"], v["subject"]), strict=True)
    return "\r\n".join(f"{label}: {value}" for label, value in rows)


def outlook_html(labels: Sequence[str], **other: str) -> str:
    v = {
        key: value if value.startswith("<a") else html.escape(value)
        for key, value in values(**other).items()
    }
    rows = zip(labels, (v["who"], v["date"], v["to"], v["subject"]), strict=True)
    block = "<br>\r\n".join(f"<b>{label}:</b> {value}" for label, value in rows)
    return (
        "<html><body lang=EN-US><div class=WordSection1><p class=MsoNormal>please unblock<o:p></o:p></p>"
        "<div><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in'>"
        f"<p class=MsoNormal>{block}<o:p></o:p></p></div></div><p class=MsoNormal>Dear Jane,</p></div></body></html>"
    )


def in_order(labels: Sequence[str], order: str) -> list[tuple[str, str]]:
    v = values()
    return [(label, v[key]) for label, key in zip(labels[1:], order.split(), strict=True)]


def inline() -> Iterator[Forward]:
    for language in LANGUAGES:
        block = outlook(OUTLOOK[language])
        yield Forward(
            f"Outlook for Windows, {language}, text",
            text_mail(f"please\r\n\r\n{block}\r\n\r\n{BODY}"),
        )
        yield Forward(
            f"Outlook for Windows, {language}, HTML",
            text_mail(outlook_html(OUTLOOK[language]), "html"),
        )
        web = outlook(OUTLOOK_WEB[language])
        yield Forward(
            f"Outlook on the web, {language}, text",
            text_mail(f"\r\n{'_' * 32}\r\n{web}\r\n\r\n{BODY}"),
        )
        separator, *names_of_fields = PHONE[language]
        phone = outlook(tuple(names_of_fields))
        yield Forward(
            f"Samsung, {language}, text",
            text_mail(f"-------- {separator} --------\r\n{phone}\r\n\r\n{BODY}"),
        )
        rows = in_order(GMAIL[language], "who date subject to")
        text = "\r\n".join([GMAIL[language][0], *(f"{label}: {value}" for label, value in rows)])
        rich = (
            f'<div dir="ltr"><br><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">{GMAIL[language][0]}<br>'
            + "".join(
                f"{label}: {'<strong class=gmail_sendername dir=auto>Lan Ruiz</strong> <span dir=auto>&lt;<a href=mailto:lan.ruiz@home.test>lan.ruiz@home.test</a>&gt;</span>' if value.startswith(WHO) else html.escape(value)}<br>"
                for label, value in rows
            )
            + "</div><br><br>Dear Jane,</div></div>"
        )
        yield Forward(f"Gmail, {language}, text", text_mail(f"\r\n{text}\r\n\r\n\r\n{BODY}"))
        yield Forward(f"Gmail, {language}, both", both(f"{text}\r\n\r\n{BODY}", rich))
    for language, labels in MORE_OUTLOOK.items():
        yield Forward(
            f"Outlook for Windows, {language}, text", text_mail(f"{outlook(labels)}\r\n\r\n{BODY}")
        )
        yield Forward(
            f"Outlook for Windows, {language}, HTML", text_mail(outlook_html(labels), "html")
        )
    for language, names in APPLE.items():
        rows = in_order(names, "who subject date to")
        lines = "\r\n".join(f"{label}: {value}" for label, value in rows)
        yield Forward(
            f"Apple Mail, {language}, text", text_mail(f"{names[0]}\r\n\r\n{lines}\r\n\r\n{BODY}")
        )
        quoted = "\r\n".join(
            f"> {line}" for line in (names[0], "", *lines.split("\r\n"), "", *BODY.split("\r\n"))
        )
        yield Forward(
            f"iPhone, {language}, text", text_mail(f"\r\n\r\nSent from my iPhone\r\n\r\n{quoted}")
        )
        rich = (
            f'<html><body dir="auto"><div><br>{names[0]}<br><br></div><blockquote type="cite"><div>'
            + "".join(f"<b>{label}:</b> {html.escape(value)}<br>" for label, value in rows)
            + "<br></div></blockquote><blockquote type=cite><div>Dear Jane,</div></blockquote></body></html>"
        )
        yield Forward(f"iPhone, {language}, HTML", text_mail(rich, "html"))
    for language, names in THUNDERBIRD.items():
        rows = in_order(names, "subject date who to")
        lines = "\r\n".join(f"{label}: \t{value}" for label, value in rows)
        yield Forward(
            f"Thunderbird, {language}, text",
            text_mail(f"\r\n\r\n\r\n-------- {names[0]} --------\r\n{lines}\r\n\r\n\r\n\r\n{BODY}"),
        )
        rich = (
            f'<p><br></p><div class="moz-forward-container"><br><br>-------- {names[0]} --------<table class="moz-email-headers-table" cellspacing="0" cellpadding="0" border="0"><tbody>'
            + "".join(
                f'<tr><th valign="BASELINE" nowrap="nowrap" align="RIGHT">{label}: </th><td>{html.escape(value)}</td></tr>'
                for label, value in rows
            )
            + "</tbody></table><br><br>Dear Jane,</div>"
        )
        yield Forward(f"Thunderbird, {language}, HTML", text_mail(rich, "html"))
    yield from more_inline()


def more_inline() -> Iterator[Forward]:
    english = OUTLOOK["English"]
    short = "Who can drive? Field trip on Friday – Oak\r\n School"
    plain = {
        "Outlook, old": "-----Original Message-----\r\n"
        + outlook(english, who=f"{WHO} [mailto:{SENDER}]"),
        "Outlook, name and mailto in brackets": outlook(english, who=f"{WHO} <[mailto:{SENDER}]>"),
        "Outlook, bare mailto": outlook(english, who=f"[mailto:{SENDER}]"),
        "Outlook.com, links in text": outlook(english, who=f"{WHO} <{SENDER}<mailto:{SENDER}>>"),
        "Outlook for Mac": outlook(("From", "Date", "To", "Subject")),
        "Outlook for Mac, with Cc": outlook(("From", "Date", "To", "Subject")).replace(
            "\r\nSubject", "\r\nCc: Tim Roe <tim.roe@example.org>\r\nSubject"
        ),
        "Outlook for phones": "Get Outlook for iOS<https://aka.ms/o0ukef>\r\n"
        + "_" * 32
        + "\r\n"
        + outlook(english),
        "Outlook, family name first": outlook(english, who=f"Ruiz, Lan <{SENDER}>"),
        "Outlook, on behalf of": outlook(
            english, who=f"list@lists.test <list@lists.test> On Behalf Of {WHO} <{SENDER}>"
        ),
        "Outlook, own name without address": outlook(english, who=WHO),
        "Outlook, importance": outlook(english) + "\r\nImportance: High",
        "Outlook, stars around labels": outlook(tuple(f"*{label}" for label in english)).replace(
            ":", ":*", 4
        ),
        "Outlook, blank lines between": outlook(english).replace("\r\n", "\r\n\r\n"),
        "Outlook, subject with RE: FW:": outlook(english, subject=f"RE: FW: {SUBJECT}"),
        "Outlook, filter's tag": outlook(english, subject=f"[EXTERNAL] {SUBJECT}"),
        "Outlook, plain dash": outlook(english, subject=SUBJECT.replace("–", "-")),
        "wrapped subject": outlook(english, subject=short),
        "wrapped author": outlook(english, who=f"{WHO}\r\n<{SENDER}>"),
        "wrapped recipients": outlook(
            english,
            to=f"Jane Doe <{TO}>,\r\n    Tim Roe <tim.roe@example.org>,\r\n    Ann Poe <ann.poe@example.org>",
        ),
        "Yahoo": "----- Forwarded Message -----\r\n"
        + outlook(("From", "Sent", "To", "Subject"), who=f'"{WHO}" <{SENDER}>'),
        "Yahoo, all in one line": f"   ----- Forwarded Message ----- From: {WHO} <{SENDER}>To: Jane Doe <{TO}>Sent: Tuesday, March 3, 2026, 09:14:00 AM PSTSubject: {SUBJECT}",
        "Yahoo, Spanish, all in one line": f"   ----- Mensaje reenviado ----- De: {WHO} <{SENDER}>Para: Jane Doe <{TO}>Enviado: martes, 3 de marzo de 2026, 09:14:00 PSTAsunto: {SUBJECT}",
        "Outlook 2019 for Mac": f'On 3/3/2026, 09:14, "{WHO}" <{SENDER}> wrote:',
        "AOL": "-----Original Message-----\r\n"
        + outlook(("From", "Sent", "To", "Subject")).replace("Sent", "Date"),
        "Proton": "------- Forwarded Message -------\r\n"
        + outlook(("From", "Date", "To", "Subject")),
        "Roundcube": f"-------- Original Message --------\r\nSubject: {SUBJECT}\r\nDate: 2026-03-03 09:14\r\nFrom: {WHO} <{SENDER}>\r\nTo: {TO}",
        "mutt": f"----- Forwarded message from {WHO} <{SENDER}> -----\r\n\r\nDate: {DATE}\r\nFrom: {WHO} <{SENDER}>\r\nTo: {TO}\r\nSubject: {SUBJECT}",
        "Notes": f"----- Forwarded by Jane Doe/Oak on 03/03/2026 09:20 AM -----\r\n\r\nFrom: {WHO} <{SENDER}>\r\nTo: {TO}\r\nDate: 03/03/2026 09:14 AM\r\nSubject: {SUBJECT}",
        "NetEase": f"---- 转发的邮件 ----\r\n| 发件人 | {WHO}<{SENDER}> |\r\n| 日期 | 2026年03月03日 09:14 |\r\n| 收件人 | {TO} |\r\n| 主题 | {SUBJECT} |",
        "QQ": f'------------------ 原始邮件 ------------------\r\n发件人: "{WHO}" <{SENDER}>;\r\n发送时间: 2026年3月3日(星期二) 晚上9:14\r\n收件人: "Jane"<{TO}>;\r\n主题: {SUBJECT}',
        "Gmail, answered before": f"> ---------- Forwarded message ---------\r\n> From: {WHO} <{SENDER}>\r\n> Date: Tue\r\n> Subject: {SUBJECT}\r\n> To: <{TO}>",
        "Message-ID shown": outlook(english, subject="changed by hand")
        + f"\r\nMessage-ID: {MESSAGE_ID}",
    }
    for name, block in plain.items():
        how = "message-id" if name.startswith("Message-ID") else "subject"
        yield Forward(
            f"{name}, text", text_mail(f"please unblock\r\n\r\n{block}\r\n\r\n{BODY}"), how
        )
    link = f'<a href="mailto:{SENDER}">{WHO}</a>'
    yield Forward(
        "Outlook, address only in a link, HTML", text_mail(outlook_html(english, who=link), "html")
    )
    yield Forward(
        "Yahoo, HTML",
        text_mail(
            '<div class="ydp1yahoo-style-wrap">please</div><div id="ydp2yahoo_quoted_1" class="ydp2yahoo_quoted"><div>----- Forwarded Message -----</div>'
            f'<div><b>From:</b> "{WHO}" &lt;{SENDER}&gt;</div><div><b>To:</b> {TO}</div><div><b>Sent:</b> Tuesday</div><div><b>Subject:</b> {html.escape(SUBJECT)}</div><div>Dear Jane</div></div>',
            "html",
        ),
    )
    yield Forward(
        "Outlook for phones, HTML",
        text_mail(
            '<div id="ms-outlook-mobile-signature">Get Outlook</div><div id="mail-editor-reference-message-container"><div class="ms-outlook-mobile-reference-message"><hr>'
            f"<div><b>From:</b> {WHO} &lt;{SENDER}&gt;<br><b>Date:</b> Tuesday<br><b>To:</b> {TO}<br><b>Subject:</b> {html.escape(SUBJECT)}</div>Dear Jane</div></div>",
            "html",
        ),
    )
    ours = outlook(
        english, who="OD Mail <postmaster@example.org>", subject="Not delivered: x", to=SENDER
    )
    inner = "\r\n".join(f"> {row}" for row in outlook(english).split("\r\n"))
    yield Forward(
        "forwarded twice, text",
        text_mail(
            f"{outlook(english, who='Tim Roe <tim.roe@example.org>', subject='FW: ' + SUBJECT)}\r\n\r\nsee below\r\n\r\n{outlook(english)}\r\n\r\n{BODY}"
        ),
    )
    yield Forward(
        "a notice with the message below, text",
        text_mail(f"{ours}\r\n\r\nYour email message has been blocked\r\n\r\n{inner}\r\n"),
    )
    headers = RAW.partition(b"\r\n\r\n")[0].decode()
    yield Forward(
        "bounce of Exchange, text",
        text_mail(
            f"Delivery has failed to these recipients or groups:\r\n{TO}\r\n550 5.7.1 blocked\r\n\r\nOriginal message headers:\r\n\r\nReceived: from a.home.test (192.0.2.1) by b.home.test;\r\n Tue, 3 Mar 2026 09:14:00 -0800\r\n{headers}\r\n"
        ),
        "message-id",
    )
    yield Forward(
        "bounce of Gmail, text",
        text_mail(
            f"** Message blocked **\r\n\r\nThe response was:\r\n\r\n550 5.7.1 blocked\r\n\r\n----- Original message -----\r\n\r\nDKIM-Signature: v=1; a=rsa-sha256; d=home.test;\r\n        b=abc\r\n{headers}\r\n\r\n{BODY}\r\n"
        ),
        "message-id",
    )


def rfc822(
    raw: bytes, fields: bytes = b'Content-Disposition: attachment; filename="x.eml"\r\n'
) -> bytes:
    return b"Content-Type: message/rfc822\r\n" + fields + b"\r\n" + raw


def encoded(content_type: str, name: str, raw: bytes) -> bytes:
    lines = b64encode(raw).decode()
    body = "\r\n".join(lines[i : i + 76] for i in range(0, len(lines), 76))
    return f'Content-Type: {content_type}; name="{name}"\r\nContent-Disposition: attachment; filename="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}'.encode()


def report(part: bytes, said: str = "550 5.7.1 Your email message has been blocked") -> bytes:
    return (
        (
            f"From: MAILER-DAEMON@mx.home.test\r\nTo: {SENDER}\r\nSubject: Undelivered Mail Returned to Sender\r\nMessage-ID: <bounce@mx.home.test>\r\n"
            "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=rep\r\n\r\n"
            f"--rep\r\nContent-Type: text/plain\r\n\r\n<{TO}>: host mail.example.org said: {said}\r\n"
            f"--rep\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.home.test\r\n\r\nFinal-Recipient: rfc822; {TO}\r\nAction: failed\r\nStatus: 5.7.1\r\n\r\n--rep\r\n"
        ).encode()
        + part
        + b"\r\n--rep--\r\n"
    )


def attached() -> Iterator[Forward]:
    altered = RAW.replace(b"From: Lan", b"Received: from a by b; Tue, 3 Mar 2026\r\nFrom: Lan")
    wrapped = notice.wrap(
        district=DISTRICT,
        message=mime.parse(RAW),
        summary="blocked",
        token="t",
        at=0.0,
        subject_prefix="Spam",
    )
    headers = RAW.partition(b"\r\n\r\n")[0] + b"\r\n"
    bounce = report(rfc822(RAW.rstrip(b"\r\n"), b""))
    samples = {
        "Outlook, attached": (mixed(rfc822(RAW)), "digest"),
        "Gmail, attached": (
            mixed(
                rfc822(
                    RAW,
                    b'Content-Transfer-Encoding: 7bit\r\nContent-Disposition: attachment; filename="Who can drive.eml"\r\n',
                )
            ),
            "digest",
        ),
        "Thunderbird, attached": (mixed(rfc822(RAW, b"Content-Disposition: inline\r\n")), "digest"),
        "Apple Mail, attached": (mixed(rfc822(RAW, b"")), "digest"),
        "a program that drops the last line end": (mixed(rfc822(RAW[:-2])), "digest"),
        "without a word": (
            SENDER_FIELDS.encode() + b"Content-Type: message/rfc822\r\n\r\n" + RAW,
            "digest",
        ),
        ".eml as octets": (
            mixed(encoded("application/octet-stream", "message.eml", RAW)),
            "digest",
        ),
        ".EML as text": (mixed(encoded("text/plain", "MESSAGE.EML", RAW)), "digest"),
        "base64 around a message": (mixed(encoded("message/rfc822", "m.eml", RAW)), "digest"),
        "digest": (
            mixed(
                b"Content-Type: multipart/digest; boundary=dig\r\n\r\n--dig\r\n\r\n"
                + RAW
                + b"\r\n--dig--\r\n"
            ),
            "digest",
        ),
        "a server added fields": (mixed(rfc822(altered)), "message-id"),
        "our copy for spammail": (mixed(rfc822(wrapped)), "digest"),
        "our copy for spammail, inline": (wrapped, "digest"),
        "forwarded twice": (mixed(rfc822(mixed(rfc822(RAW)))), "digest"),
        "forwarded three times": (
            mixed(rfc822(mixed(encoded("application/octet-stream", "a.eml", mixed(rfc822(RAW)))))),
            "digest",
        ),
        "attached, an inline forward within": (
            mixed(rfc822(text_mail(f"{outlook(OUTLOOK['English'])}\r\n\r\n{BODY}"))),
            "subject",
        ),
        "bounce, forwarded as attachment": (mixed(rfc822(bounce)), "digest"),
        "bounce of Postfix, sent on as it is": (bounce, "digest"),
        "bounce with headers only": (
            mixed(rfc822(report(b"Content-Type: text/rfc822-headers\r\n\r\n" + headers))),
            "message-id",
        ),
        "bounce, its parts attached": (
            mixed(b"Content-Type: text/rfc822-headers\r\n\r\n" + headers),
            "message-id",
        ),
    }
    for name, (raw, how) in samples.items():
        yield Forward(name, raw, how)


def samples() -> list[Forward]:
    return [*inline(), *attached()]


def matched(sample: Forward) -> forwarded.Match:
    message = mime.parse(sample.raw)
    found = forwarded.originals(message, reader.read(message))
    return forwarded.match(found, (HELD, *OTHERS))


def main() -> None:
    table = samples()
    right = 0
    for sample in table:
        match = matched(sample)
        good = match == forwarded.Match((HELD,), sample.how)
        right += good
        if not good:
            print(
                f"{sample.name}: {match.how or 'not matched'}, {[c.hold for c in match.candidates]}"
            )
    print(f"{right} of {len(table)} forwards matched ({100 * right / len(table):.1f} %)")


if __name__ == "__main__":
    main()
