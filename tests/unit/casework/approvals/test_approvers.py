"""Who may approve: a table of reasons, senders and the seats that follow (R18, R20, R25)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest
from tests.support.office import DIRECTORY, DISTRICT, PEOPLE, mail

from mailguard.casework.approvals.approvers import (
    RequiredApproval,
    Sender,
    can_be_filled,
    filled,
    seats,
    sender_of,
)
from mailguard.casework.approvals.approvers import wanted as wanted_of
from mailguard.checks import CHECKS
from mailguard.core.decision.approval import ApprovalBy, anybody_of, each_of
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.policy import Policy, PolicyStep
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.model import Person

NEEDS, ANNOUNCEMENT = "group-rights.needs-approval", "group-rights.announcement"
BYPASS, VOLUME, CHAIN = "group-rights.bypass", "mass-mail.volume", "mass-mail.chain-letter"
P = PEOPLE
POLICY = Policy(tuple(PolicyStep(c, c.Settings(), {}) for c in CHECKS), "every check")
VICE = Person("vera", "Vera Vice", ("vera@example.org",), sites=("oak",))
TABLE = [
    # reasons, the sender's administrators, technology, supervisor, barred → people by seat
    ([NEEDS], "paula", "tomas", "", "tara", {"either": "paula tomas"}),
    ([BYPASS], "paula", "tomas", "", "tara", {"either": "paula tomas"}),
    ([BYPASS, NEEDS], "paula", "tomas", "", "tara", {"either": "paula tomas"}),
    (["spam.outbound"], "paula", "tomas", "", "tara", {"either": "paula tomas"}),
    (["rate.exceeded"], "paula vera", "tomas", "", "tara", {"either": "paula vera tomas"}),
    ([], "paula", "tomas", "", "tara", {"either": "paula tomas"}),
    # an administrator's own message: the others of the site, the supervisor, Technology Services
    ([NEEDS], "paula vera", "tomas", "", "paula", {"either": "vera tomas"}),
    ([NEEDS], "paula", "tomas", "gloria", "paula", {"either": "gloria tomas"}),
    ([NEEDS], "paula", "tomas", "", "paula", {"either": "tomas"}),
    ([NEEDS], "gloria tomas", "tomas", "", "tomas", {"either": "gloria"}),
    ([NEEDS], "", "", "", "tara", {"either": ""}),
    # who is in both is asked once
    ([NEEDS], "gloria tomas", "tomas", "", "tara", {"either": "gloria tomas"}),
    # R20: two, and whoever sits in either counts for R18 as well
    (
        [ANNOUNCEMENT],
        *("paula", "tomas", "", "tara"),
        {"administration": "paula", "technology": "tomas"},
    ),
    (
        [ANNOUNCEMENT, NEEDS],
        *("paula", "tomas", "", "tara"),
        {"administration": "paula", "technology": "tomas"},
    ),
    (
        [ANNOUNCEMENT],
        *("paula", "tomas", "gloria", "paula"),
        {"administration": "gloria", "technology": "tomas"},
    ),
    ([ANNOUNCEMENT], "paula", "", "", "tara", {"administration": "paula", "technology": ""}),
    # R25: the supervisor; without one the administration, then Technology Services
    ([VOLUME], "paula", "tomas", "gloria", "tara", {"supervisor": "gloria"}),
    ([CHAIN], "paula", "tomas", "", "tara", {"supervisor": "paula"}),
    ([VOLUME], "paula", "tomas", "paula", "paula", {"supervisor": "tomas"}),
    (
        [VOLUME, NEEDS],
        *("paula", "tomas", "gloria", "tara"),
        {"supervisor": "gloria", "either": "paula tomas"},
    ),
    (
        [VOLUME, ANNOUNCEMENT],
        *("paula", "tomas", "paula", "tara"),
        {"administration": "paula", "technology": "tomas", "supervisor": "paula"},
    ),
]  # fmt: skip


def named(ids: str) -> tuple[Person, ...]:
    known = {**PEOPLE, "vera": VICE}
    return tuple(known[i] for i in ids.split())


def facts(administrators: str = "", technology: str = "", supervisor: str = "") -> Facts:
    over = named(supervisor)
    return Facts(
        now=0.0,
        district=DISTRICT,
        administrators=named(administrators),
        technology=named(technology),
        supervisor=over[0] if over else None,
    )


@pytest.mark.parametrize(("codes", "site", "tech", "over", "barred", "wanted"), TABLE)
def test_the_table_of_seats(
    codes: Sequence[str], site: str, tech: str, over: str, barred: str, wanted: dict[str, str]
) -> None:
    sender = Sender(P[barred], True, frozenset({barred}))
    found = seats(wanted_of(codes, POLICY), facts(site, tech, over), sender, DIRECTORY)
    assert {seat.name: " ".join(seat.people) for seat in found} == wanted
    assert all(barred not in seat.people for seat in found)
    apart = {seat.name for seat in found if seat.apart}
    assert apart == ({"administration", "technology"} if ANNOUNCEMENT in codes else set())


@pytest.mark.parametrize("code", [NEEDS, VOLUME, "content.anything"])
def test_mail_from_outside_is_technology_services(code: str) -> None:
    outside = facts("paula", "tomas", "paula")
    found = seats(wanted_of([code], POLICY), outside, Sender(None, False), DIRECTORY)
    assert [seat.people for seat in found] == [("tomas",)]


def test_who_had_the_role_when_the_message_came_is_asked() -> None:
    """A record from before policy could name a role is looked up in the directory of now."""
    one = anybody_of("human_resources")
    now = {**PEOPLE, "ben": replace(PEOPLE["ben"], roles=("human_resources",))}
    directory, sender = replace(DIRECTORY, people=now), Sender(P["tara"], True)
    then = replace(facts(), approvers={"human_resources": (PEOPLE["gloria"],)})
    assert [s.people for s in seats(one, then, sender, directory)] == [("gloria",)]
    before = replace(facts(), today=date(2026, 11, 2))
    assert [s.people for s in seats(one, before, sender, directory)] == [("ben",)]


@pytest.mark.parametrize(
    ("said", "codes", "wanted"),
    [
        # in policy's words, beside what other findings need
        ({NEEDS: anybody_of("person:ben")}, [NEEDS], {"person:ben": "ben"}),
        (
            {NEEDS: anybody_of("person:ben")},
            [NEEDS, BYPASS],
            {"person:ben": "ben", "either": "paula tomas"},
        ),
        # an announcement's second yes is what policy asks for as well
        (
            {NEEDS: anybody_of("technology")},
            [NEEDS, ANNOUNCEMENT],
            {"administration": "paula", "technology": "tomas"},
        ),
        # but not one of a substitute, who is not named
        (
            {NEEDS: anybody_of("site_administration")},
            [NEEDS, ANNOUNCEMENT],
            {"administration": "paula", "technology": "tomas", "site_administration": "paula"},
        ),
        # two of one office are two people
        (
            {NEEDS: each_of("technology", "technology")},
            [NEEDS],
            {"technology": "tomas", "technology~2": "tomas"},
        ),
        ({VOLUME: anybody_of("supervisor")}, [VOLUME, CHAIN], {"supervisor": "gloria"}),
    ],
)
def test_what_policy_says_goes_before_what_the_finding_declares(
    said: dict[str, tuple[ApprovalBy, ...]], codes: list[str], wanted: dict[str, str]
) -> None:
    steps = tuple(replace(step, approvers=said) for step in POLICY.steps)
    found = seats(
        wanted_of(codes, Policy(steps, "said")),
        facts("paula", "tomas", "gloria"),
        Sender(P["tara"], True, frozenset({"tara"})),
        DIRECTORY,
    )
    assert {seat.name: " ".join(seat.people) for seat in found} == wanted
    assert can_be_filled(found) is not ("technology~2" in wanted)


TWO = (
    RequiredApproval("administration", "a", ("gloria", "tomas"), ("R20",), apart=True),
    RequiredApproval("technology", "t", ("tomas",), ("R20",), apart=True),
)


@pytest.mark.parametrize(
    ("yes", "open_seats"),
    [
        ((), {"administration", "technology"}),
        (("tomas",), {"technology"}),  # one of the two; which is no matter
        (("gloria",), {"technology"}),
        (("tomas", "gloria"), set()),  # in whatever order they answer
        (("gloria", "tomas"), set()),
        (("tomas", "tomas"), {"technology"}),
        (("ben", "tara"), {"administration", "technology"}),
    ],
)
def test_one_person_does_not_fill_both_seats_of_an_announcement(
    yes: tuple[str, ...], open_seats: set[str]
) -> None:
    have = filled(TWO, yes)
    assert len(set(have.values())) == len(have)
    assert len(have) == 2 - len(open_seats)


def test_seats_that_are_not_apart_are_filled_by_one_person() -> None:
    both = (*TWO, RequiredApproval("supervisor", "s", ("gloria",), ("R25",)))
    assert set(filled(both, ["gloria", "tomas"])) == {"administration", "technology", "supervisor"}


def test_a_seat_for_nobody_cannot_be_filled() -> None:
    assert can_be_filled(TWO)
    assert not can_be_filled([RequiredApproval("either", "e", (), ("R18",))])
    alone = tuple(RequiredApproval(s.name, s.label, ("tomas",), s.rules, apart=True) for s in TWO)
    assert not can_be_filled(alone)


def sender(
    author: str, account: str | None, owner: str | None, acting: str | None = None, more: str = ""
) -> Sender:
    raw = mail(author, "maple@example.org", "s")
    if more:
        raw = f"{more}\r\n".encode() + raw
    envelope = Envelope("tara@example.org", ("maple@example.org",), account=account, acting=acting)
    one = Transaction("1", 0.0, Listener("s", Role.SUBMISSION), envelope, mime.parse(raw))
    login = DIRECTORY.account_for(account) if account else None
    known = PEOPLE[owner] if owner else None
    return sender_of(one, Facts(now=0.0, district=DISTRICT, account=login, owner=known), DIRECTORY)


@pytest.mark.parametrize(
    ("author", "account", "owner", "acting", "more", "barred"),
    [
        ("tara@example.org", "tara", "tara", None, "", {"tara"}),
        # any of the sender's addresses
        ("principal@example.org", "paula", "paula", None, "", {"tara", "paula"}),
        # an assistant for the principal: neither approves it
        (
            "paula@example.org",
            "sam",
            "sam",
            None,
            "Sender: sam@example.org",
            {"tara", "paula", "sam"},
        ),
        # a generic account: whoever may use it, unless the login says who did
        ("front@example.org", "front", None, None, "", {"tara", "sam", "paula"}),
        ("front@example.org", "front", None, "sam", "", {"tara", "sam"}),
    ],
)
def test_whoever_has_a_hand_in_the_message_is_barred(
    author: str, account: str, owner: str | None, acting: str | None, more: str, barred: set[str]
) -> None:
    assert sender(author, account, owner, acting, more).barred == barred
