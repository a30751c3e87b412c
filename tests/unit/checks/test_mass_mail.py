"""R25: how much is mass mail, who is exempt, and chain letters in whoever's words."""

from __future__ import annotations

import pytest

from mailguard.checks.mass_mail.check import MassMail, MassMailSettings
from mailguard.core.decision.facts import Mailing, Unavailable
from mailguard.core.mail.transaction import Role

CHECK = MassMail()
CHAIN = "Send this to ten people or you will have bad luck."


def mail(author: str = "jdoe@example.org", text: str = "Hello.") -> str:
    return f"From: {author}\nSubject: Hello\n\n{text}\n"


AUTHORS = {
    "jdoe": "jdoe@example.org",
    "aberg": "anna.berg@example.org",
    "rvance": "ruth.vance@example.org",
    "pquill": "peter.quill@example.org",
    "copier12": "copier12@example.org",
}


def sent(build, account: str, inside: int, outside: int = 0):
    mailing = Mailing(inside, outside, 3, 3_600.0)
    author = AUTHORS[account]
    return build(mail(author), role=Role.SUBMISSION, account=account, mailing=mailing)


@pytest.mark.parametrize(
    ("account", "inside", "outside", "expected"),
    [
        ("jdoe", 200, 100, []),
        ("jdoe", 201, 0, ["volume"]),
        ("jdoe", 0, 101, ["volume"]),
        ("jdoe", 9_999, 9_999, ["volume"]),
        ("rvance", 9_999, 9_999, []),  # the Superintendent
        ("aberg", 9_999, 9_999, []),  # a principal
        ("copier12", 201, 0, ["volume"]),
        ("pquill", 9_999, 0, []),
    ],
)
def test_volume(build, codes, account, inside, outside, expected) -> None:
    assert codes(CHECK, sent(build, account, inside, outside)) == expected


def test_exemptions_are_settings(build, codes) -> None:
    principal, copier = sent(build, "aberg", 500), sent(build, "copier12", 500)
    assert codes(CHECK, principal, exempt_roles=()) == []  # named by sites.yaml
    assert codes(CHECK, principal, exempt_roles=(), exempt_administrators=False) == ["volume"]
    assert codes(CHECK, principal, exempt_administrators=False) == []
    assert codes(CHECK, copier, exempt_senders=("Copier12@Example.org",)) == []
    with pytest.raises(ValueError, match="king is no role"):
        MassMailSettings(exempt_roles=("king",))


def test_what_nobody_is_proven_to_send_has_no_volume(build, codes) -> None:
    assert codes(CHECK, build(mail("ruth.vance@example.org"))) == []


def test_the_supervisor_is_named(build) -> None:
    case = sent(build, "jdoe", 300, 150)
    supervised = build(
        mail(),
        role=Role.SUBMISSION,
        account="jdoe",
        mailing=Mailing(300, 150, 2, 3_600.0),
        supervisor=build.directory.people["berg"],
    )
    (finding,) = CHECK.examine(supervised.transaction, supervised.facts, CHECK.Settings()).findings
    assert finding.advice == "Your supervisor, Anna Berg, can permit it."
    assert "with 2 before it" in finding.evidence
    assert "300 people of the district, where 200 are allowed" in finding.evidence
    assert "150 mailboxes outside, where 100 are allowed" in finding.evidence
    (finding,) = CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings
    assert finding.advice == ""  # the usual


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("text", [CHAIN, f"Look at this!\n\n> {CHAIN}", f"<b>{CHAIN}</b>"])
def test_chain_letters_in_both_directions(build, codes, role, text) -> None:
    account = "jdoe" if role is Role.SUBMISSION else None
    assert codes(CHECK, build(mail(text=text), role=role, account=account)) == ["chain-letter"]


def test_reported_chain_letters_reach_spammail(build) -> None:
    recipients = ("spammail@example.org", "tim.moss@example.org")
    case = build(mail(text=CHAIN), recipients=recipients)
    (finding,) = CHECK.examine(case.transaction, case.facts, CHECK.Settings()).findings
    assert finding.recipients == recipients[1:]
    alone = build(mail(text=CHAIN), recipients=recipients[:1])
    assert not CHECK.examine(alone.transaction, alone.facts, CHECK.Settings()).findings


def test_an_unread_message_is_an_error(build) -> None:
    case = build(mail(), reading=Unavailable("too long"))
    assert (
        CHECK.examine(case.transaction, case.facts, CHECK.Settings()).error == "reading: too long"
    )


def test_the_window_is_asked_for() -> None:
    assert MassMailSettings(minutes=5).looks_back() == {"mailing": 300.0}
