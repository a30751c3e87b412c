"""Schools' sheets of parents' addresses by mail to spammail@ (R38).

Owns who may hand one in, and the report that answers it. What a sheet comes to is
`core.sheets.parents`. Must not know how a workbook is read, or where the list is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from mailguard.casework.tickets import UnreadMail
from mailguard.casework.unblocking.requests import Requests
from mailguard.casework.workflow import Importing, ReadSheet, Work
from mailguard.core.decision.facts import Unblocked
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message, Part
from mailguard.core.mail.safe_text import terminal
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Person
from mailguard.core.sender import directory_lookups
from mailguard.core.sheets import parents
from mailguard.core.sheets.sheet import SheetRejected
from mailguard.pipeline.judged_message import JudgedMessage
from mailguard.pipeline.off_loop import off_loop_if_large

ROLES = ("site_secretary", "principal", "technology_services_director")
"""The roles whose sheets are taken where nobody is named; administrators of sites always may."""
_ENDINGS = (".xlsx", ".csv", ".xls", ".xlsm", ".ods", ".tsv")
_MOST = 5  # sheets of one letter


@dataclass(frozen=True)
class Sheets:
    """Takes sheets in. A letter that is read twice, after a crash, imports the same once more
    under the same batch, which changes nothing."""

    read_sheet: ReadSheet
    importing: Importing

    async def take_in(
        self, requests: Requests, mail: UnreadMail, judged: JudgedMessage, person: Person
    ) -> None:
        """Import every sheet of a letter, and answer with the report; or with whom to ask."""
        steps, message, engine = requests.steps, judged.transaction.message, requests.engine
        if not _may(person, steps.work.snapshot().directory, steps.staff.sheets or ROLES):
            note = requests.note(mail, judged, "case-sheet-refused")
            await engine.settle(mail, f"{person.id} may not hand sheets in", note)
            return
        reports = [
            await self._import(part, n, mail, message, person, steps.work)
            for n, part in enumerate(sheets_of(message))
        ]
        note = requests.note(mail, judged, "case-sheet", *reports)
        summary = "; ".join(report.partition("\n")[0] for report in reports)
        await engine.settle(mail, f"sheets: {summary}", note)

    async def _import(
        self, part: Part, n: int, mail: UnreadMail, message: Message, person: Person, work: Work
    ) -> str:
        snapshot, now = work.snapshot(), work.desk.clock()
        name = terminal(part.filenames[0], 80)
        size = part.end - part.body_start
        octets, _ = await off_loop_if_large(size, mime.decoded_body, message, part)
        sheet = await self.read_sheet(octets, name)
        if isinstance(sheet, SheetRejected):
            return f"{name}: not read, because {sheet.refused}."
        zone = ZoneInfo(snapshot.district.time_zone)
        last = parents.a_year_after(directory_lookups.day_at(now, snapshot.district.time_zone))
        batch = f"letter-{mail.id}-{n + 1}"
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


def _may(person: Person, directory: Directory, allowed: Collection[str]) -> bool:
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
