"""No letter is taken for the victim's; every honest one is taken for its author's.

The tables are in `author_attacks`, `signature_attacks`, `path_attacks`, `trace_attacks` and
`controls`; each case says in a sentence what it tries.
"""

from __future__ import annotations

import re
from email import message_from_bytes

import pytest
from tests.confusion.controls import CONTROLS, VOUCHED_OTHERWISE
from tests.confusion.judging import ATTACKS, Judged, all_judged, shown
from tests.confusion.letters import AUTHSERV_ID, Case
from tests.confusion.path_attacks import UNPROTECTED

from mailguard.core.decision.facts import Dmarc
from mailguard.core.mail import address
from mailguard.core.sender import identity
from mailguard.core.sender.outside_proof import author_authenticated


def _cases(table: tuple[Case, ...]) -> list[object]:
    return [pytest.param(case.name, id=case.name) for case in table]


def _is_authenticated(judged: Judged, mailbox: str) -> bool:
    """Whether anything in mailguard takes that mailbox for the proven author."""
    transaction, facts = judged.one.transaction, judged.one.facts
    return author_authenticated(transaction, facts) and identity.author(transaction) == mailbox


def _ours(copy: bytes) -> list[str]:
    """The Authentication-Results in a copy that anybody may take for ours."""
    values = [
        " ".join(v.split()) for v in message_from_bytes(copy).get_all("authentication-results", [])
    ]
    return [v for v in values if AUTHSERV_ID in re.sub(r'["\\]', "", v).lower()]


@pytest.mark.parametrize("name", _cases(ATTACKS))
def test_attack_is_not_taken_for_the_victim(name: str) -> None:
    judged = all_judged()[name]
    case, facts = judged.case, judged.one.facts
    victim = address.normalise(case.victim)
    assert judged.told["internal_error"] is None
    assert not _is_authenticated(judged, victim)
    assert judged.told["identity"]["authenticated_as"] != victim
    assert not [reason for reason in judged.waivers if victim in reason]
    if isinstance(facts.dmarc, Dmarc) and facts.dmarc.domain == address.domain_of(victim):
        assert facts.dmarc.result != "pass"
    if case.ends:
        assert judged.ended == case.ends, judged.told["findings"]
    else:
        assert judged.ended != "forward", judged.told["findings"]
    if judged.ended == "forward":
        assert victim not in shown(case.raw)


@pytest.mark.parametrize("name", _cases(ATTACKS))
def test_no_forged_results_go_on(name: str) -> None:
    judged = all_judged()[name]
    for copy in judged.one.copies(judged.one.facts.now).values():
        ours = _ours(copy)
        assert len(ours) == 1
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', ours[0])
        assert not re.search(r"=pass[^;]*victim\.test", bare)


@pytest.mark.parametrize("name", _cases(UNPROTECTED))
def test_mail_that_nobody_vouches_for_is_nobodys(name: str) -> None:
    judged = all_judged()[name]
    victim = address.normalise(judged.case.victim)
    assert judged.told["dmarc"]["result"] in ("none", "fail")
    assert not _is_authenticated(judged, victim)
    assert judged.told["identity"]["authenticated_as"] == ""
    assert judged.waivers == ()
    assert judged.ended == "forward"


@pytest.mark.parametrize("name", _cases(CONTROLS))
def test_honest_mail_is_its_authors(name: str) -> None:
    judged = all_judged()[name]
    author = address.normalise(judged.case.victim)
    assert judged.told["dmarc"]["result"] == "pass", judged.one.facts
    assert _is_authenticated(judged, author)
    assert author in shown(judged.case.raw)
    assert judged.ended == "forward", judged.told["findings"]
    if not author.endswith("@example.org") and not author.startswith(("postmaster", "mallory")):
        assert judged.waivers  # the list's entry counts


@pytest.mark.parametrize("name", _cases(VOUCHED_OTHERWISE))
def test_mail_that_something_else_vouches_for(name: str) -> None:
    judged = all_judged()[name]
    assert judged.told["dmarc"]["result"] != "pass"
    assert judged.ended == "forward", judged.told["findings"]


def test_no_policy_is_proven_by_spf_or_dkim() -> None:
    assert _is_authenticated(all_judged()["no-policy"], "alice@nopolicy.test")


def test_a_trusted_seal_is_no_proof_for_the_unblocked_list() -> None:
    judged = all_judged()["list-with-trusted-seal"]
    codes = [finding["code"] for finding in judged.told["findings"]]
    assert "authentication.sealed" in codes
    assert not judged.waivers


def test_the_tables_are_whole() -> None:
    assert len(ATTACKS) >= 60
    assert len(CONTROLS) >= 15
    assert all(case.tries.endswith(".") for case in (*ATTACKS, *CONTROLS))
