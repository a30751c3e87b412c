"""Schools' sheets of parents' addresses by mail to spammail@ (R38).

Owns who may hand one in, and the report that answers it. What a sheet comes to is
`core.sheets.parents`. Must not know how a workbook is read, or where the list is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from mailguard.casework.tickets import UnreadMail
from mailguard.casework.unblocking.requests import Requests
from mailguard.core.decision.facts import Unblocked
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message, Part
from mailguard.core.mail.safe_text import terminal
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Person
from mailguard.core.sender import directory_lookups
from mailguard.core.sheets import parents
from mailguard.core.sheets.parents import ImportPlan
from mailguard.core.sheets.sheet import Sheet, SheetRejected
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large
from mailguard.pipeline.ports import Unblocking

ROLES = ("site_secretary", "principal", "technology_services_director")
"""The roles whose sheets are taken where nobody is named; administrators of sites always may."""
_ENDINGS = (".xlsx", ".csv", ".xls", ".xlsm", ".ods", ".tsv")
_MOST = 5  # sheets of one letter


class Importing(Unblocking, Protocol):
    """The unblocked list, as a sheet needs it."""

    async def take_in(self, plan: ImportPlan, batch: str, by: str, now: float) -> None: ...


ReadSheet = Callable[[bytes, str], Awaitable[Sheet | SheetRejected]]


@dataclass(frozen=True)
class Sheets:
    """Takes sheets in. A letter that is read twice, after a crash, imports the same once more
    under the same batch, which changes nothing."""

    requests: Requests
    read_sheet: ReadSheet
    importing: Importing

    async def take_in(self, letter: UnreadMail, dossier: JudgedMessage, person: Person) -> None:
        """Import every sheet of a letter, and answer with the report; or with whom to ask."""
        steps, message = self.requests.steps, dossier.transaction.message
        if not self._may(person, steps.snapshot().directory):
            note = self.requests.note(letter, dossier, "case-sheet-refused")
            await steps.matters.settle(letter.id, f"{person.id} may not hand sheets in", note)
            return
        reports = [
            await self._import(part, n, letter, message, person)
            for n, part in enumerate(sheets_of(message))
        ]
        note = self.requests.note(letter, dossier, "case-sheet", *reports)
        summary = "; ".join(report.partition("\n")[0] for report in reports)
        await steps.matters.settle(letter.id, f"sheets: {summary}", note)

    async def _import(
        self, part: Part, n: int, letter: UnreadMail, message: Message, person: Person
    ) -> str:
        steps = self.requests.steps
        snapshot, now = steps.snapshot(), steps.world.clock()
        name = terminal(part.filenames[0], 80)
        size = part.end - part.body_start
        octets, _ = await off_loop_if_large(size, mime.decoded_body, message, part)
        sheet = await self.read_sheet(octets, name)
        if isinstance(sheet, SheetRejected):
            return f"{name}: not read, because {sheet.refused}."
        zone = ZoneInfo(snapshot.district.time_zone)
        last = parents.a_year_after(directory_lookups.day_at(now, snapshot.district.time_zone))
        batch = f"letter-{letter.id}-{n + 1}"
        origin = f"import {name}, {batch}"

        def existing(address: str) -> bool:
            entry = self.importing.look_up(address, now)
            return isinstance(entry, Unblocked) and entry.origin != origin

        plan = await asyncio.to_thread(
            parents.plan,
            sheet,
            existing,
            site=person.sites[0] if len(person.sites) == 1 else "",
            origin=origin,
            expires_at=datetime.combine(last + timedelta(days=1), time(), zone).timestamp(),
            sites=[(site.id, site.name) for site in snapshot.directory.sites.values()],
        )
        if plan.entries:
            await self.importing.take_in(plan, batch, person.addresses[0], now)
        report = parents.report(plan, last, taken=True).rstrip()
        undo = f"To have it taken back, quote {batch}." if plan.entries else ""
        return f"{report}\n{undo}".rstrip()

    def _may(self, person: Person, directory: Directory) -> bool:
        allowed = self.requests.steps.staff.sheets or ROLES
        if directory.administered_by(person.id) or person.id in allowed:
            return True
        return any(name in allowed for name in (*person.roles, *person.addresses))


def sheets_of(message: Message) -> list[Part]:
    """The attachments that are sheets by their name; what they are is seen by the content."""
    return [
        part
        for part in message.parts
        if not part.is_multipart
        and any(name.lower().rstrip().endswith(_ENDINGS) for name in part.filenames)
    ][:_MOST]
