"""What people answer to a question by mail, in the shapes of their programs (R18, R31)."""
# ruff: noqa: E501 - samples of mail stand on one line each

from __future__ import annotations

import quopri
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import cost, mail_programs
from tests.support.mail_programs import LANGUAGES, PROGRAMS, Quoted, reply_html, reply_text

from mailguard.casework.answers.answer import MARKER, Answer, AnswerKind, read_answer
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message
from mailguard.core.mail.safe_text import line
from mailguard.core.notices import policy_texts
from mailguard.core.text import reader
from mailguard.core.text.reading import Reading

YES, NO, UNSURE = AnswerKind.YES, AnswerKind.NO, AnswerKind.UNSURE
STOP, NONE, CONFLICT = AnswerKind.STOP, AnswerKind.NONE, AnswerKind.CONFLICT

# A question of ours as it may look; its words must never count.
QUESTION_TEXT = (
    f"{MARKER}\r\n\r\nLan Ruiz asks to send this message to all staff. May it be sent?\r\n"
    "Reply YES or NO in the first line, or STOP.\r\nYes: https://mail.example.org/a/1\r\n"
    "No: https://mail.example.org/a/2\r\n\r\n    Yes.\r\n    Approved\r\n\r\nReference: 4-1-abcdefghijklmnop"
)
QUESTION = Quoted(
    "OD Mail",
    "approvals@example.org",
    QUESTION_TEXT,
    "".join(f"<p>{row}</p>" for row in QUESTION_TEXT.split("\r\n") if row),
)
HEAD = "From: Jane Doe <jane.doe@example.org>\r\nTo: approvals@example.org\r\n"
SUBJECT = "Subject: Re: Approval wanted: Yes, we can [#4-1-abcdefghijklmnop]\r\n"


def mail(body: str, kind: str = "plain", fields: str = SUBJECT) -> bytes:
    return f"{HEAD}{fields}MIME-Version: 1.0\r\nContent-Type: text/{kind}; charset=utf-8\r\n\r\n{body}".encode()


def answer(raw: bytes) -> Answer:
    message = mime.parse(raw)
    return read_answer(message, reader.read(message))


def kind(raw: bytes) -> AnswerKind:
    return answer(raw).kind


TOLD = {
    YES: (
        *(
            "Yes",
            "yes",
            "Yes.",
            "yes please",
            "YES!!",
            "Yes, please.",
            "Yep",
            "yeah",
            "Y",
            "Yes yes yes",
        ),
        *(
            "Approved",
            "APPROVED.",
            "approved!",
            "ok to send",
            "I approve",
            "I approve this message.",
        ),
        *(
            "Ok, approved",
            "Okay, yes",
            "sure",
            "Sounds good",
            "Go ahead",
            "Yes - go ahead",
            "Of course!",
        ),
        *("Yes, please send it", "Yes, she is a parent of one of my students.", "Yes, I know him."),
        *(
            "Yes, this is a valid sender.",
            "yes it's fine",
            "Yes, I do.",
            "It is valid.",
            "Confirmed",
        ),
        *(
            "Hi Tom,\r\n\r\nYes.\r\n\r\nThanks,\r\nJane",
            "Good morning Mr. Ruiz, yes.",
            "Thanks! Yes.",
        ),
        *(
            "Thank you for asking. Yes.",
            "Yes.\r\n\r\nThank you",
            "Yes\r\n-- \r\nJane Doe\r\nnever a dull day",
        ),
        *(
            "Yes\r\nJane Doe, Principal\r\nIf not now, when?",
            "Yes.\r\n\r\nI have known them for years.",
        ),
        *("👍", "👍🏽", "👍\r\n\r\nJane Doe reacted via Gmail", "✅", "Yes 🙂", "\u201cYes\u201d"),
        *("Sí", "si", "Sí, por favor.", "Sí, apruebo", "Aprobado", "Claro que sí", "De acuerdo"),
        *(
            "Có",
            "Vâng",
            "Đồng ý",
            "是",
            "是的。",
            "同意",
            "可以",
            "نعم",
            "أوافق",
            "Oo",
            "Opo",
            "Oui",
            "Да",
        ),
    ),
    NO: (
        *(
            "No",
            "no.",
            "NO!",
            "Nope",
            "No, thank you",
            "no thanks",
            "denied",
            "Do not send",
            "Not approved",
        ),
        *(
            "I do not approve.",
            "don't send it",
            "Don\u2019t approve this",
            "Absolutely not",
            "of course not",
        ),
        *("No, this is spam.", "No, I don't know this person", "Do not send this to all staff"),
        *(
            "No. Please change the date.",
            "No, I've never heard of them.",
            "Hi Tom,\r\nno\r\nJane",
            "👎",
        ),
        *("This is not a valid sender.", "No, gracias", "No lo apruebo"),
        *(
            "Không",
            "Không đồng ý",
            "不是",
            "不同意",
            "لا",
            "لا أوافق",
            "Hindi",
            "Hindi po",
            "Não",
            "Нет",
        ),
    ),
    UNSURE: (
        *(
            "I don't know",
            "I dont know.",
            "not sure",
            "Unsure",
            "Who is this?",
            "who is this",
            "No idea",
        ),
        *(
            "I'm not sure who this is",
            "I don't recognize this sender.",
            "Maybe",
            "What is this about?",
        ),
        *("Not sure. Can you tell me more?", "No sé", "no lo sé", "No lo conozco", "¿Quién es?"),
        *(
            "Tôi không biết",
            "不知道",
            "不认识",
            "لا أعرف",
            "من هذا؟",
            "Hindi ko alam",
            "Sino po ito?",
        ),
    ),
    STOP: (
        *("Stop", "STOP!", "stop it", "Please stop this announcement", "Stop sending this now."),
        *("Cancel this announcement please", "Alto", "停止", "توقف", "Itigil ito", "Dừng lại"),
    ),
    CONFLICT: (
        *(
            "Yes, but not before Friday",
            "Yes, Friday",
            "Yes\r\nbut only for Oak",
            "Yes. But ask Tim first.",
        ),
        *(
            "Yes if the principal agrees",
            "Yes, after you fix the date",
            "Yes, once Tim agrees",
            "Yes?",
        ),
        *(
            "Yes and no",
            "yes or no",
            "Yes\r\nNo",
            "No\r\nYes",
            "No, wait, yes",
            "Yes to Oak, no to Elm",
        ),
        *(
            "No problem, send it",
            "No problem",
            "no worries",
            "No objection",
            "I can't say no",
            "Why not",
        ),
        *("ok", "OK, thanks", "Please approve", "is this approved", "Is this approved?", "Not yet"),
        *(
            "I approve\r\nof none of this",
            "Approved\r\nfor Oak",
            "I approved it last year",
            "Yes Tim",
        ),
        *(
            "Yes.\r\nThanks.\r\nPlease change the date before",
            "Yes\r\n-- \r\nJane\r\nP.S. only for Oak",
        ),
        *(
            "Yes.\r\n\r\nJane Doe\r\n\r\nPS: not to Elm",
            "Yes. 다만 금요일 이후에만",
            "Sure, if you say so",
        ),
        *(
            "Yes. 5pm.",
            "Yes. 3/15.",
            "Yes. Send me the final text.",
            "No, it's not spam",
            "Yes. Can it wait?",
            "Approved, pending Tim's review",
            "Yes, I think so",
            "Not sure, but yes",
        ),
        *(
            "Don't send it until Friday",
            "No, unless Tim agrees",
            "Stop by my office",
            "Do not stop",
        ),
        *("please stop sending me these questions", "I looked at it. Yes.", "Not sure. Go ahead."),
        *(
            "Sí, pero no antes del viernes",
            "Aprobado. Si el director acepta.",
            "是的，但不是今天",
            "没问题",
        ),
        *("Có, nhưng chỉ thứ sáu", "نعم ولكن بعد الجمعة", "Oo, pero bukas", "Yes 👎", "Sí y no"),
    ),
    NONE: (
        *(
            "",
            "Thanks",
            "Hi Tom,",
            "I will look at it tomorrow",
            "Got it, thanks",
            "Can you call me?",
        ),
        *("Yesterday I was out", "Nobody told me", "-- \r\nJane Doe", "Sent from my iPhone", "🙂"),
    ),
}
TEXTS = [(text, told) for told, rows in TOLD.items() for text in rows]


@pytest.mark.parametrize(("text", "told"), TEXTS)
def test_a_text(text: str, told: AnswerKind) -> None:
    assert kind(mail(text)) is told


@pytest.mark.parametrize(("text", "told"), TEXTS)
def test_a_text_as_html(text: str, told: AnswerKind) -> None:
    rich = "".join(f"<div>{row}</div>" for row in text.split("\r\n"))
    assert kind(mail(f'<html><body dir="auto">{rich}</body></html>', "html")) is told


def test_the_table_is_large_enough() -> None:
    assert len(TEXTS) >= 150
    assert len(SHAPES) * len(SAMPLES) >= 150


SHAPES = [(program, language) for program in PROGRAMS for language in LANGUAGES]
SAMPLES = (("Yes", YES), ("No.", NO), ("I don't know", UNSURE), ("Stop this", STOP))
SAMPLES += (("Yes, but not before Friday", CONFLICT), ("", NONE))


@pytest.mark.parametrize(("program", "language"), SHAPES)
@pytest.mark.parametrize(("text", "told"), SAMPLES)
def test_a_reply_above_our_question(
    program: str, language: str, text: str, told: AnswerKind
) -> None:
    assert kind(mail(reply_text(program, language, text, QUESTION))) is told
    assert kind(mail(reply_html(program, language, text, QUESTION), "html")) is told


def test_our_questions_words_alone_answer_nothing() -> None:
    for body in (QUESTION_TEXT, f"\r\n\r\n{QUESTION_TEXT}", f"* {QUESTION_TEXT}"):
        assert kind(mail(body)) is NONE
    assert kind(mail(QUESTION.html, "html")) is NONE
    assert kind(mail(reply_text("Gmail", "English", "", QUESTION))) is NONE


@pytest.mark.parametrize(
    "quote",
    [
        QUESTION_TEXT,
        QUESTION_TEXT.replace("reply above", "reply\r\nabove"),
        f"## {QUESTION_TEXT}",
        f"-----Original Message-----\r\nFrom: OD Mail\r\nSent: today\r\nTo: Jane\r\nSubject: x\r\n\r\n{QUESTION_TEXT}",
        f"From: OD Mail\r\nSent: today\r\nTo: Jane\r\nSubject: x\r\n\r\n{QUESTION_TEXT}",
        f"OD Mail kirjoitti ma 3. maalisk. 2026 klo 9.14:\r\n\r\n{QUESTION_TEXT}",
    ],
)
def test_without_marks_the_marker_line_ends_the_answer(quote: str) -> None:
    assert kind(mail(f"Yes\r\n\r\n{quote}")) is YES
    assert kind(mail(f"No\r\n\r\n{quote}")) is NO


def marked(text: str) -> str:
    return "\r\n".join(f"> {row}" for row in text.split("\r\n"))


def test_below_and_between_the_quote() -> None:
    line = "On Tue, Mar 3, 2026 at 9:14 AM OD Mail <approvals@example.org> wrote:"
    assert kind(mail(f"{line}\r\n{marked(QUESTION_TEXT)}\r\n\r\nYes\r\n")) is YES
    assert (
        kind(mail(f"{line}\r\n> May it be sent?\r\n\r\nNo.\r\n\r\n{marked(QUESTION_TEXT)}")) is NO
    )
    between = f"{line}\r\n> one\r\nYes\r\n> two\r\nbut not to Oak\r\n"
    assert kind(mail(between)) is CONFLICT


def alternative(plain: str, rich: str) -> bytes:
    coded = b64encode(rich.encode()).decode()
    quoted = quopri.encodestring(plain.encode()).decode()
    return (
        f"{HEAD}{SUBJECT}MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{quoted}\r\n"
        f"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{coded}\r\n--b--\r\n"
    ).encode()


@pytest.mark.parametrize("program", PROGRAMS)
def test_alternatives_that_agree(program: str) -> None:
    plain = reply_text(program, "English", "Sí", QUESTION)
    assert kind(alternative(plain, reply_html(program, "English", "Sí", QUESTION))) is YES


@pytest.mark.parametrize(
    ("plain", "rich", "told"),
    [
        ("Yes", "<p>No</p>", CONFLICT),
        ("Yes", "<p>Yes, but not today</p>", CONFLICT),
        ("Yes", "<p>Something else</p>", CONFLICT),
        ("", "<p>Yes</p>", YES),
        ("Yes", "<p></p>", YES),
        ("👍", "<img alt='👍' src='cid:x'>", YES),
    ],
)
def test_of_alternatives_all_must_say_the_same(plain: str, rich: str, told: AnswerKind) -> None:
    assert kind(alternative(plain, rich)) is told


def test_marks_of_a_quote_in_html_are_marks() -> None:
    body = "Yes<br>&gt; Subject: No, wait<br>&gt; From: OD Mail<br>&gt; but not to Oak<br>"
    assert kind(mail(body, "html")) is YES


def test_flowed_text_and_other_charsets() -> None:
    fields = f"{HEAD}{SUBJECT}MIME-Version: 1.0\r\nContent-Type: text/plain; "
    flowed = f"{fields}format=flowed; delsp=yes\r\n\r\nYes. \r\n \r\n> Reply NO\r\n".encode()
    assert kind(flowed) is YES
    latin = (
        f"{fields}charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n".encode()
        + b"S\xed\r\n"
    )
    assert kind(latin) is YES
    big5 = f"{fields}charset=big5\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    assert kind(big5 + b64encode("不同意".encode("big5"))) is NO
    utf16 = f"{fields}charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    assert kind(utf16 + b64encode("نعم".encode("utf-16"))) is YES


def test_a_line_that_a_program_broke_is_one_sentence() -> None:
    long = "Yes, this is the address of the mother of one of my students in class"
    assert kind(mail(f"{long}\r\nunless they have moved away since.")) is CONFLICT


@pytest.mark.parametrize(
    "disclaimer",
    [
        policy_texts.V3_DISCLAIMER,
        policy_texts.V4_STATEMENT.format(title="Principal", school="Oak School"),
        "The views expressed here are my own and do not necessarily reflect those of the district.",
        "Please consider the environment before printing this e-mail.",
    ],
)
def test_disclaimers_take_nothing_away(disclaimer: str) -> None:
    assert kind(mail(f"Yes\r\n\r\n{disclaimer}\r\n\r\n{QUESTION_TEXT}")) is YES
    wrapped = disclaimer.replace(". ", ".\r\n")
    assert kind(mail(f"Yes\r\n\r\nJane\r\n\r\n{wrapped}\r\n")) is YES
    assert kind(mail(f"Yes\r\n\r\n{disclaimer}\r\n\r\nBut not before Friday\r\n")) is CONFLICT
    assert kind(mail(disclaimer)) is NONE


def test_a_condition_that_begins_like_a_disclaimer_counts() -> None:
    assert (
        kind(mail("Yes\r\nThis message is not to go out before the recipient agrees")) is CONFLICT
    )


@pytest.mark.parametrize(
    ("subject", "body", "told"),
    [
        ("YES: Re: Approval wanted [#4-1-abcdefghijklmnop]", "", YES),
        ("Approved - RE: Approval wanted", "", YES),
        ("No Re: Approval wanted", "\r\n\r\nJane Doe", NO),
        ("Yes", "", YES),
        ("=?utf-8?q?S=C3=AD=3A_Re=3A_x?=", "", YES),
        ("stop: AW: Approval wanted", "-- \r\nJane", STOP),
        ("Re: Yes, we can [#4-1-abcdefghijklmnop]", "", NONE),
        ("Yes, we can [#4-1-abcdefghijklmnop]", "", NONE),
        ("Yes [#4-1-abcdefghijklmnop]", "", NONE),
        ("No subject", "", NONE),
        ("Yes, but later: Re: x", "", NONE),
        ("YES: Re: x", "Yes", YES),
        ("YES: Re: x", "No", CONFLICT),
        ("YES: Re: x", "I will look at it", NONE),
        ("", "", NONE),
    ],
)
def test_an_answer_in_the_subject(subject: str, body: str, told: AnswerKind) -> None:
    assert kind(mail(body, fields=f"Subject: {subject}\r\n")) is told


@pytest.mark.parametrize(
    "fields",
    [
        "Subject: Automatic reply: Approval\r\n",
        "Subject: Out of Office: Re: Approval\r\n",
        "Subject: Respuesta automática: Approval\r\n",
        "Subject: 自动回复: x\r\n",
        "Subject: Trả lời tự động: x\r\n",
        "Subject: Re: x\r\nAuto-Submitted: auto-replied\r\n",
        "Subject: Re: x\r\nX-Autoreply: yes\r\n",
        "Subject: Re: x\r\nX-Autorespond: Approval\r\n",
        "Subject: Re: x\r\nPrecedence: auto_reply\r\n",
        "Subject: Re: x\r\nReturn-Path: <>\r\n",
    ],
)
def test_automatic_mail_answers_nothing(fields: str) -> None:
    assert kind(mail("Yes", fields=fields)) is NONE


def test_what_is_told_of_an_answer() -> None:
    told = answer(
        mail("Hi Tom,\r\nYes, please.\r\nShe is\u202e in my\x07 class.\r\n\r\nThanks,\r\nJane Doe")
    )
    assert told == Answer(YES, "Hi Tom, Yes, please. She is in my class.", "Yes, please.")
    long = answer(mail("Yes.\r\n" + "and more of it " * 100))
    assert len(long.remark) <= 500
    assert len(long.evidence) <= 200


def test_a_text_that_was_not_read_to_its_end_is_no_plain_yes() -> None:
    assert kind(mail("Yes.\r\n" + "She is a parent.\r\n" * 3_000)) is CONFLICT


WORDS = ("yes", "no", "not", "approved", "stop", "sure", "but", "friday", "send", "it", "the", "ok")
HEDGES = ("but", "if", "unless", "only", "until", "before", "not", "except", "wait")
_line = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
_own = st.one_of(
    st.sampled_from([text for text, _ in TEXTS]),
    st.lists(st.one_of(_line, _line.map(str.capitalize)), max_size=3).map("\r\n".join),
)


@settings(max_examples=300, deadline=None)
@given(_own, st.sampled_from(PROGRAMS), st.sampled_from(LANGUAGES))
def test_no_quote_of_our_question_changes_the_answer(own: str, program: str, language: str) -> None:
    alone = kind(mail(own))
    assert kind(mail(reply_text(program, language, own, QUESTION))) is alone
    assert (
        kind(mail(reply_html(program, language, own.replace("\r\n", "<br>"), QUESTION), "html"))
        is alone
    )
    assert kind(mail(f"{own}\r\n\r\n{QUESTION_TEXT}")) is alone
    assert kind(mail(f"{own}\r\n\r\n{marked(QUESTION_TEXT)}")) is alone


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["plain", "html"]), st.text(max_size=60))
def test_any_text_is_read(text: str, subtype: str, subject: str) -> None:
    raw = f"{HEAD}Subject: {subject}\r\nContent-Type: text/{subtype}; charset=utf-8\r\n\r\n{text}"
    told = answer(raw.encode("utf-8", "replace"))
    assert told.remark == line(told.remark)
    assert told.evidence == line(told.evidence)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_read(raw: bytes) -> None:
    answer(raw)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(TOLD[YES]),
    st.sampled_from(HEDGES),
    st.sampled_from(
        ["{} {} Friday", "{}, {} Friday", "{}. {} Friday", "{}\r\n{} Friday", "{}\r\n\r\n{} Friday"]
    ),
)
def test_a_condition_behind_a_yes_makes_it_a_conflict(yes: str, hedge: str, shape: str) -> None:
    if "Jane" in yes:  # below a signature only what begins like an afterthought counts
        return
    assert kind(mail(shape.format(yes, hedge))) is not YES


@pytest.mark.parametrize(
    "text",
    [
        cost.growing("Yes. ", 3_000),
        cost.growing("yes ", 3_000),
        cost.growing("please ", 3_000),
        cost.growing("Yes, it is ", 1_500),
        cost.growing("Thanks\r\n", 400),
        cost.growing("confidential\r\n", 400),
        cost.growing("this message ", 1_500),
        cost.growing("a", 30_000),
        cost.growing("yes ", 100_000),
        cost.growing(" ", 18_000, "please ", "reply"),
        cost.growing("re:", 6_000),
    ],
    ids=str,
)
def test_hostile_text_is_read_in_linear_time(text: cost.Growing[str]) -> None:
    def parsed(text: str) -> tuple[Message, Reading]:
        subject = f"Subject: {text[:5000].splitlines()[0]}\r\n"
        message = mime.parse(mail(text, fields=subject))
        return message, reader.read(message)

    cost.assert_linear(text.then(parsed), lambda mail: read_answer(*mail))


def test_the_programs_are_those_of_the_table() -> None:
    assert mail_programs.PROGRAMS == PROGRAMS
