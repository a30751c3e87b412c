"""R9-R12: the disclaimer in the author's own words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailguard.checks.disclaimer.check import HEADER, Disclaimer, Profile
from mailguard.checks.disclaimer.slots import school_name
from mailguard.core.decision.edit import AddField
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Role
from mailguard.core.notices import policy_texts
from mailguard.core.render import render
from mailguard.core.text import reader
from mailguard.core.text.text_match import is_present

CHECK = Disclaimer()
V3 = policy_texts.V3_DISCLAIMER
V4 = policy_texts.V4_STATEMENT
OUT = ("parent@home.test",)
HEAD = "From: jane.doe@example.org\nSubject: x\n"
ALTERNATIVE = (
    HEAD + "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n"
    "--b\nContent-Type: text/plain; charset=us-ascii\n\nHello\n\n{plain}\n--b\n"
    "Content-Type: text/html; charset=us-ascii\n\n"
    "<html><body><p>Hello</p>{html}</body></html>\n--b--\n"
)


def said(case, **settings):
    return CHECK.examine(case.transaction, case.facts, CHECK.Settings(**settings))


def sent(case, verdict) -> bytes:
    message = case.transaction.message
    rendered = render.render(message, verdict.edits)
    assert render.verify(message, rendered, verdict.edits) is None
    return rendered


@pytest.fixture
def staff(build):
    def made(text, recipients=OUT, account="jdoe", **facts):
        return build(text, role=Role.SUBMISSION, account=account, recipients=recipients, **facts)

    return made


def test_it_is_appended_to_plain_text_byte_for_byte(staff, codes) -> None:
    case = staff(HEAD + "\nHello\n")
    assert codes(CHECK, case) == ["appended"]
    assert sent(case, said(case)).endswith(b"\r\n\r\nHello\r\n\r\n" + V3.encode() + b"\r\n")


def test_text_and_html_alike_above_the_quote(staff) -> None:
    case = staff(
        ALTERNATIVE.format(
            plain="On Mon, A wrote:\n> " + V3,
            html=f'<div class="gmail_quote">On Mon, A wrote:<blockquote>{V3}</blockquote></div>',
        )
    )
    rendered = sent(case, said(case))
    reading = reader.read(mime.parse(rendered))
    for text in reading.texts:
        assert is_present(V3, text.author_visible)
        assert text.text.index("CONFIDENTIALITY") < text.text.index("On Mon")
    assert rendered.count(b"CONFIDENTIALITY") == 4


@pytest.mark.parametrize(
    "own",
    [
        V3,
        V3.upper(),
        V3.replace("'", "\u2019").replace("-", "\u2011"),
        V3.replace(" ", "\n", 30),
        V3.replace(" ", "\u00a0"),
        V3.replace("e-mail", "email"),
        V3.replace("Thank you for your compliance.", ""),
    ],
)
def test_present_in_the_authors_text(staff, codes, own) -> None:
    assert (
        codes(CHECK, staff(HEAD + f"Content-Type: text/plain; charset=utf-8\n\nHello\n{own}\n"))
        == []
    )


def test_present_in_html_only(staff, codes) -> None:
    split = "".join(f"<span>{word}&nbsp;</span>" for word in V3.split(" "))
    text = HEAD + f"Content-Type: text/html\nContent-Transfer-Encoding: 7bit\n\n<p>Hi</p><p>{split}"
    assert codes(CHECK, staff(text)) == []


@pytest.mark.parametrize(
    "own", ["> " + V3, "On Mon, A wrote:\n> " + V3, V3[:200], "-----Original Message-----\n" + V3]
)
def test_a_quoted_or_partial_one_does_not_count(staff, codes, own) -> None:
    assert codes(CHECK, staff(HEAD + f"\nHello\n\n{own}\n")) == ["appended"]


def test_a_second_pass_adds_nothing(staff) -> None:
    case = staff(ALTERNATIVE.format(plain="", html=""))
    again = staff(sent(case, said(case)))
    assert said(again).edits == ()
    assert said(again).findings == ()


def test_whose_mail_is_asked(staff, build, codes) -> None:
    text = HEAD + "\nHello\n"
    assert codes(CHECK, staff(text, recipients=("tim.moss@example.org",))) == []
    assert codes(CHECK, staff(text, recipients=("tim.moss@example.org", *OUT))) == ["appended"]
    assert codes(CHECK, build(text, recipients=OUT)) == []  # from outside
    assert codes(CHECK, build(text, role=Role.RELAY, recipients=OUT)) == ["appended"]
    assert codes(CHECK, staff("Auto-Submitted: auto-replied\n" + text)) == []
    exempt = Profile(name="x", text=V3, exempt=("Jane.Doe@example.org",))
    assert codes(CHECK, staff(text), profiles=(exempt,)) == []
    internal = Profile(name="x", text=V3, direction="internal")
    assert codes(CHECK, staff(text), profiles=(internal,)) == []
    other = Profile(name="x", text=V3, sites=("technology",))
    assert codes(CHECK, staff(text), profiles=(other,)) == []
    custodians = Profile(name="x", text=V3, classifications=("custodian",))
    assert codes(CHECK, staff(text), profiles=(custodians,)) == []


def test_the_null_reverse_path_is_left_alone(staff) -> None:
    case = staff(HEAD + "\nHello\n")
    envelope = replace(case.transaction.envelope, reverse_path="")
    transaction = replace(case.transaction, envelope=envelope)
    assert CHECK.examine(transaction, case.facts, CHECK.Settings()).findings == ()


STATEMENT = Profile(name="statement", text=V4, direction="all")


def test_v4_is_filled_from_the_directory(staff) -> None:
    case = staff(HEAD + "\nHello\n")
    body = sent(case, said(case, profiles=(STATEMENT,))).decode()
    assert "from the Teacher of Stafford High School and contains" in body


def test_a_colleagues_v4_does_not_satisfy(staff, codes) -> None:
    own = V4.format(title="Teacher", school="Stafford High School")
    others = V4.format(title="Principal", school="Stafford High School")
    assert codes(CHECK, staff(HEAD + f"\n{own}\n"), profiles=(STATEMENT,)) == []
    assert codes(CHECK, staff(HEAD + f"\n{others}\n"), profiles=(STATEMENT,)) == ["appended"]
    assert codes(CHECK, staff(HEAD + f"\nHi\n> {own}\n"), profiles=(STATEMENT,)) == ["appended"]


@pytest.mark.parametrize("account", ["pquill", "rvance", "copier12"])
def test_without_a_school_there_is_never_a_raw_slot(staff, account) -> None:
    case = staff(HEAD + "\nHello\n", account=account)
    verdict = said(case, profiles=(STATEMENT,))
    assert [f.code for f in verdict.findings] == [
        "disclaimer.no-slot-values",
        "disclaimer.appended",
    ]
    body = sent(case, verdict)
    assert V3.encode() in body
    assert b"{" not in body
    nothing = said(case, profiles=(STATEMENT.model_copy(update={"fallback": "none"}),))
    assert nothing.edits == ()
    named = Profile(name="plain", text="Our own words.", direction="all")
    wanted = STATEMENT.model_copy(update={"fallback": "plain"})
    assert b"Our own words." in sent(case, said(case, profiles=(wanted, named)))


def test_school_is_not_doubled() -> None:
    assert school_name("Stafford High School") == "Stafford High School"
    assert school_name("Stafford Elementary") == "Stafford Elementary School"


def test_require_and_warn(staff, codes) -> None:
    case = staff(HEAD + "\nHello\n")
    required = Profile(name="x", text=V3, mode="require")
    (finding,) = said(case, profiles=(required,)).findings
    assert finding.code == "disclaimer.missing"
    assert V3 in finding.advice
    assert codes(CHECK, case, profiles=(Profile(name="x", text=V3, mode="warn"),)) == ["advised"]
    assert said(case, profiles=(required,)).edits == ()


@pytest.mark.parametrize(
    "text",
    [
        "Content-Type: multipart/signed; boundary=b\n\n--b\n\nHi\n--b--\n",
        "Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nHi\n--b--\n",
        "Content-Type: text/calendar\n\nBEGIN:VCALENDAR\n",
        "Content-Type: application/pkcs7-mime\n\nx\n",
        "Content-Type: text/plain; charset=x-unknown\n\nHi\n",
        "Content-Type: image/png\n\nHi\n",
    ],
)
@pytest.mark.parametrize("mode", ["append", "require"])
def test_where_it_cannot_go(staff, text, mode) -> None:
    case = staff(HEAD + text)
    verdict = said(case, profiles=(Profile(name="x", text=V3, mode=mode),))
    if mode == "require" and case.facts.reading.texts:
        assert verdict.findings[0].code == "disclaimer.missing"
        return
    assert [f.code for f in verdict.findings] == ["disclaimer.not-placed"]
    (edit,) = verdict.edits
    assert isinstance(edit, AddField)
    assert edit.name == HEADER
    assert sent(case, verdict).endswith(case.transaction.message.raw)


def test_attachments_and_attached_messages_stay(staff) -> None:
    raw = (
        HEAD + "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nHi\n"
        "--b\nContent-Type: text/plain; name=a.txt\n\nfile\n--b\nContent-Type: message/rfc822\n\n"
        "Subject: y\n\ninner\n--b--\n"
    )
    case = staff(raw)
    assert sent(case, said(case)).count(b"CONFIDENTIALITY") == 1


def test_html_is_escaped_and_slots_too(staff, build) -> None:
    profile = Profile(name="x", text="A & B <c>\nof {name}", html="", direction="all")
    case = staff(HEAD + "Content-Type: text/html\n\n<p>Hi</p>\n")
    owner = replace(case.facts.owner, name="<b>Jane</b>")
    facts = replace(case.facts, owner=owner)
    verdict = CHECK.examine(case.transaction, facts, CHECK.Settings(profiles=(profile,)))
    assert b"A &amp; B &lt;c&gt;<br>of &lt;b&gt;Jane" in sent(case, verdict)
    own = profile.model_copy(update={"html": "<i>{name}</i>"})
    verdict = CHECK.examine(case.transaction, facts, CHECK.Settings(profiles=(own,)))
    assert b"<i>&lt;b&gt;Jane&lt;/b&gt;</i>" in sent(case, verdict)


def test_what_was_not_read_is_an_error(staff) -> None:
    case = staff(HEAD + "\nHello\n", reading=Unavailable("too long"))
    assert "too long" in said(case).error


@pytest.mark.parametrize(
    "text", ["{titel}", "{", "{0}", "{}", "{name.__class__}", "{name!r}", "{name:99}"]
)
def test_a_template_with_an_unknown_slot_is_refused(text) -> None:
    with pytest.raises(ValueError):
        Profile(name="x", text=text)


MARKED = Profile(
    name="sensitive",
    text=V3,
    direction="all",
    sensitivity={"keywords": ["IEP"], "subject_tags": ["[SECURE]"], "fields": ["Sensitivity"]},
)


def test_a_profile_for_sensitive_mail_alone(staff, codes) -> None:
    plain = HEAD + "\nHello\n"
    assert codes(CHECK, staff(plain), profiles=(MARKED,)) == []
    for text in (
        HEAD + "\nThe IEP is ready\n",
        HEAD.replace("Subject: x", "Subject: [secure] x") + "\nHello\n",
        HEAD + "Sensitivity: Private\n\nHello\n",
    ):
        assert codes(CHECK, staff(text), profiles=(MARKED,)) == ["appended"]
    # The next profile is for what the first does not concern.
    other = Profile(name="other", text="Our own words.")
    assert b"Our own words." in sent(staff(plain), said(staff(plain), profiles=(MARKED, other)))
    assert (
        "too long" in said(staff(plain, reading=Unavailable("too long")), profiles=(MARKED,)).error
    )
    with pytest.raises(ValueError):
        Profile(name="x", text=V3, sensitivity={"fields": ["no field"]})


def test_once_a_thread(staff, codes) -> None:
    once = STATEMENT.model_copy(update={"repeat": "once-a-thread"})
    own = V4.format(title="Teacher", school="Stafford High School")
    others = V4.format(title="Principal", school="Stafford High School")
    quote = "\nHi\n\nOn 3 Mar 2026, A wrote:\n> x\n> "
    assert codes(CHECK, staff(HEAD + quote + own + "\n"), profiles=(once,)) == []
    assert codes(CHECK, staff(HEAD + quote + others + "\n"), profiles=(once,)) == ["appended"]
    assert codes(CHECK, staff(HEAD + quote + own + "\n"), profiles=(STATEMENT,)) == ["appended"]


def test_only_the_form_that_lacks_it_gets_it(staff) -> None:
    case = staff(ALTERNATIVE.format(plain="", html=f"<p>{V3}</p>"))
    verdict = said(case)
    assert [edit.part for edit in verdict.edits] == ["1"]
    assert said(staff(sent(case, verdict))).findings == ()
    required = Profile(name="x", text=V3, mode="require")
    assert said(case, profiles=(required,)).findings == ()


def test_it_may_stand_behind_a_picture(staff, codes) -> None:
    text = (
        HEAD + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n--b\n"
        f"Content-Type: image/png\n\nx\n--b\nContent-Type: text/plain\n\n{V3}\n--b--\n"
    )
    assert codes(CHECK, staff(text)) == []


NO_PROFILE = {"profiles": ()}
SIGNED = "\nHello\n\nJane Doe\nTeacher\n"


@pytest.mark.parametrize(
    ("mode", "text", "found"),
    [
        ("off", "\nHello\n", []),
        ("warn", "\nHello\n", ["signature-advised"]),
        ("warn", SIGNED, []),
        (
            "warn",
            "\nHello\n\nOn 3 Mar 2026, A wrote:\n> Jane Doe\n> Teacher\n",
            ["signature-advised"],
        ),
        ("require", "\nHello\n", ["signature-missing"]),
        ("require", "\nHello\n\nJane Doe\n", ["signature-missing"]),
        ("append", "\nHello\n", ["signature-appended"]),
        ("append", SIGNED, []),
        ("append", "\nHello\n\nJane Doe\n", ["signature-advised"]),
        ("append", "Content-Type: text/calendar\n\nBEGIN:VCALENDAR\n", ["not-placed"]),
    ],
)
def test_the_signature(staff, codes, mode, text, found) -> None:
    assert codes(CHECK, staff(HEAD + text), signature={"mode": mode}, **NO_PROFILE) == found


def test_the_signature_stands_above_the_disclaimer_and_comes_once(staff) -> None:
    chosen = {"signature": {"mode": "append", "text": "{name}\n{title}, {site}\nTel. {phone}"}}
    case = staff(ALTERNATIVE.format(plain="> old\n", html=""))
    rendered = sent(case, said(case, **chosen))
    for text in reader.read(mime.parse(rendered)).texts:
        own = text.author_visible
        assert own.startswith("Hello\nJane Doe\nTeacher, Stafford High School\nCONFIDENTIALITY")
    assert b"Tel." not in rendered
    assert said(staff(rendered), **chosen).findings == ()
    required = said(staff(HEAD + "\nHi\n"), signature={"mode": "require"}, **NO_PROFILE)
    assert "Jane Doe / Teacher / Stafford High School" in required.findings[0].advice


def test_one_header_says_that_neither_could_be_placed(staff) -> None:
    case = staff(HEAD + "Content-Type: text/calendar\n\nBEGIN:VCALENDAR\n")
    verdict = said(case, signature={"mode": "append"})
    assert [f.code for f in verdict.findings] == ["disclaimer.not-placed"] * 2
    assert len(verdict.edits) == 1


def test_a_device_does_not_sign(staff, codes) -> None:
    case = staff("From: copier12@example.org\nSubject: scan\n\nScan\n", account="copier12")
    assert codes(CHECK, case, signature={"mode": "require"}, **NO_PROFILE) == []
