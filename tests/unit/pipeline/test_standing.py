"""Facts about those a message concerns, gathered for the example district; one request's memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from tests.support.serving import ROOT, message

from mailguard.cli.checking import Checker, Request
from mailguard.config.load import load
from mailguard.core.decision.facts import Facts
from mailguard.core.record.stored import facts_from_json, facts_json

SYLVIA, EDITH = "sylvia.aspen@example.org", "edith.willow@example.org"
ASKED = Request(
    message=message(SYLVIA, "greta.hazel@example.org"),
    client_ip="192.0.2.1",
    helo="desk.example.org",
    mail_from=EDITH,
    rcpt=["greta.hazel@example.org"],
    listener="submission",
    auth_user="ewillow",
    now=1_795_600_000.0,
)


async def facts_of(request: Request, times: int = 1) -> Facts:
    async with Checker.open(load(ROOT / "config")) as checker:
        for n in range(times):
            one, problems = await checker.judged(replace(request, client_ip=f"192.0.2.{n + 1}"))
            assert not problems
    return one.facts


async def test_grants_and_leavers_are_facts_and_stored_as_such() -> None:
    facts = await facts_of(ASKED)
    assert facts.today == date(2026, 11, 25)
    (grant,) = facts.grants
    assert (grant.principal.id, grant.delegation.renewer) == ("saspen", "tbirch")
    leaver = facts.leavers["greta.hazel@example.org"]
    assert (leaver.person.id, leaver.since) == ("ghazel", date(2026, 7, 1))
    assert leaver.successor is not None
    assert leaver.successor.id == "ppine"
    again = facts_from_json(facts_json(facts), facts.reading, facts.link_keys)
    assert again == facts


async def test_a_grant_is_no_fact_of_mail_that_does_not_need_it() -> None:
    own = replace(ASKED, message=message(EDITH, "greta.hazel@example.org"))
    assert (await facts_of(own)).grants == ()


async def test_check_judges_no_request_by_those_before_it() -> None:
    assert (await facts_of(ASKED, times=7)).account_clients == 1


@pytest.mark.parametrize("listener", ["mx", "relay"])
async def test_without_a_login_nobody_has_grants(listener: str) -> None:
    facts = await facts_of(replace(ASKED, listener=listener, auth_user=""))
    assert facts.grants == ()
    assert facts.account_clients == 0
