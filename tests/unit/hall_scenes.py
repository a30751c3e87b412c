"""Scenes of the guide's workflow; `test_hacking_workflow` runs them where the workflow is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.support.at_once import at_once
from tests.support.office import DAY, DISTRICT, Mail, Office, mail

from mailguard import metrics
from mailguard.adapters.database.tables import matters
from mailguard.casework.workflow import Outfit
from mailguard.casework.workflows import WORKFLOWS, engines
from mailguard.config.load import load
from mailguard.config.notices import TEMPLATES
from mailguard.core.people.district import District
from mailguard.server import gauges

HALL, TARA, TOMAS, PAULA = (f"{n}@example.org" for n in ("hall", "tara", "tomas", "paula"))


class HallDistrict(District):
    """A district that has set the desk's address."""

    def desks(self, recipients: Any) -> Mapping[str, str]:
        given = list(recipients)
        return super().desks(given) | {one: "hall" for one in given if one == HALL}


class HallOffice(Office):
    def restart(self) -> None:
        super().restart()
        nothing: Any = None
        settings = load(Path("config")).settings
        outfit = Outfit(self.work, settings, self.grants, nothing, nothing, nothing)
        self.engines = engines(outfit, WORKFLOWS)
        self.open_desk(*self.engines)
        district = HallDistrict(**{f.name: getattr(DISTRICT, f.name) for f in fields(DISTRICT)})
        object.__setattr__(self.snapshot, "district", district)

    async def write(self, sender: str, text: str = "Please.", answers: Mail | None = None) -> None:
        about = {"In_Reply_To": str(answers.message["Message-ID"])} if answers else {}
        subject = f"Re: {answers.subject}" if answers else "Choir"
        person = self.directory.person_at(sender)
        assert person is not None
        raw = mail(sender, HALL, subject, text, **about)
        await self.accept(raw, [HALL], account=person.id, reverse_path=sender)

    async def booked(self) -> Mail:
        await self.write(TARA)
        (asked,) = await self.round()
        assert (asked.to, "May they have the hall? Choir" in asked.text) == ((TOMAS,), True)
        return asked

    def booking(self) -> dict[str, Any]:
        (ticket,) = self.tickets("booking")
        return json.loads(ticket.state)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[HallOffice]:
    opened = HallOffice(tmp_path)
    yield opened
    opened.close()


async def test_a_letter_asks_and_a_reply_answers(office: HallOffice) -> None:
    asked = await office.booked()
    await office.write(TOMAS, "Yes", asked)
    (told,) = await office.round()
    assert (told.to, told.text.strip()) == ((TARA,), "The hall: yes.")
    await office.write(TOMAS, "No", asked)
    (late,) = await office.round()
    assert (late.to, office.booking()["outcome"]) == ((TOMAS,), "yes")


async def test_a_page_answers_and_the_token_opens_none(office: HallOffice) -> None:
    asked = await office.booked()
    assert await office.desk.question(asked.token) is None
    question = await office.desk.question(asked.page)
    assert question is not None
    assert [choice for choice, _ in question.choices] == ["yes", "no"]
    assert await office.desk.answer(asked.page, "no") == "no"
    assert await office.desk.answer(asked.page, "yes") == "Nothing has changed. no"
    assert {m.to[0] for m in await office.deliver()} == {TOMAS, TARA}


async def test_the_clock_gives_up(office: HallOffice) -> None:
    await office.booked()
    office.now += 2 * DAY - 1
    assert await office.round() == []
    office.now += 1
    (told,) = await office.round()
    assert (told.to, office.history(1)) == ((TARA,), ["opened", "given up"])


async def test_anothers_answer_is_refused_and_on_record(office: HallOffice) -> None:
    asked = await office.booked()
    await office.write(PAULA, "Yes", asked)
    (told,) = await office.round()
    assert (told.to, told.subject) == ((PAULA,), "Not counted")
    assert (office.history(1), office.booking()["refused"]) == (["opened", "refused"], 1)


async def test_what_cannot_be_read_is_set_aside_and_answers_nothing(office: HallOffice) -> None:
    asked = await office.booked()
    with office.database.write() as connection:
        connection.execute(update(matters).values(state=b"{"))
    office.now += 3 * DAY
    assert await office.round() == []
    (ticket,) = office.tickets("booking")
    assert (ticket.wakes_at, office.history(1)[-1]) == (office.now + DAY, "unreadable")
    assert await office.desk.question(asked.page) is None


async def test_it_is_counted(office: HallOffice) -> None:
    await office.booked()
    await gauges.count(office.state, office.snapshot, office.engines, office.now + 60)
    counted = metrics.TICKETS.labels("booking"), metrics.TICKETS_AGE.labels("booking")
    assert [one._value.get() for one in counted] == [1, 60]


async def test_a_district_may_word_its_notices(office: HallOffice) -> None:
    assert TEMPLATES["booking-ask"].purpose == "asks the keeper"
    found = at_once(office.database.query(lambda c: c.execute(select(matters.c.id)).all()))
    assert found == []
