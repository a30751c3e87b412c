"""One message through gather, decide and plan, for `check` and `check --batch`.

Owns the request's form, and that nothing is written. Shares `pipeline.judge` with `serve`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import ipaddress
import json
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from pydantic import ValidationError

from mailguard.adapters.authentication.dns import CachingResolver
from mailguard.adapters.authentication.lookups import SenderAuthentication
from mailguard.adapters.database.engine import Database, location
from mailguard.adapters.database.learned import LearnedWords
from mailguard.adapters.database.ledger import groups_reached
from mailguard.adapters.database.unblocked import UnblockedList
from mailguard.adapters.engines.panel import panel_of
from mailguard.adapters.ids import new_id
from mailguard.adapters.workers.reader_pool import PooledReader
from mailguard.config.load import Loaded
from mailguard.config.settings.schema import DnsSettings, ListenerSettings
from mailguard.core.decision.facts import Bayes, Unavailable, Unblocked
from mailguard.core.decision.verdict import Disposition
from mailguard.core.mail import mime
from mailguard.core.mail.path import PathError, parse_path
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.record.explain import report
from mailguard.pipeline.judge import judge
from mailguard.pipeline.judged_message import EDIT_FAILED, JudgedMessage
from mailguard.pipeline.ports import Judging
from mailguard.server.wiring import make_reader, make_terms

T = TypeVar("T")

_YEAR_10000 = 253_402_300_800  # no date field can be written from here on


class UsageError(Exception):
    """A request that is not of the right form."""


@dataclass(frozen=True, slots=True)
class Request:
    """One message to judge, as the options say."""

    message: bytes
    client_ip: str = "192.0.2.1"
    helo: str = "client.example.net"
    mail_from: str = ""
    rcpt: list[str] | tuple[str, ...] = ()
    listener: str = ""
    auth_user: str = ""
    dns: str = ""
    now: float | None = None


class Checker:
    """Judges requests one after another with one configuration."""

    def __init__(self, loaded: Loaded, reader: PooledReader, lists: _ReadOnlyLists) -> None:
        self._loaded = loaded
        self._reader = reader
        self._lists = lists
        self._terms = make_terms(loaded.settings)
        self._resolvers: dict[str, CachingResolver] = {}  # by what --dns says

    @classmethod
    @asynccontextmanager
    async def open(cls, loaded: Loaded) -> AsyncIterator[Checker]:
        """A checker on the configuration's state, which is only read, and need not exist."""
        reader = make_reader(loaded.settings)  # its workers start when a big message needs one
        lists = _ReadOnlyLists(loaded)
        try:
            checker = cls(loaded, reader, lists)
            try:
                yield checker
            finally:
                for resolver in checker._resolvers.values():
                    await resolver.close()
        finally:
            lists.close()
            await reader.close()

    async def answer(self, line: bytes, defaults: dict[str, Any]) -> dict[str, Any]:
        """One line of a batch: a verdict, or what is wrong. Never raises."""
        try:
            return await self.judge(_request(line, defaults))
        except UsageError as error:
            return {"usage_error": str(error)}
        except Exception as error:  # noqa: BLE001 - one bad message must not end the batch
            return {"internal_error": f"{type(error).__name__}: {error}"}

    async def judge(self, request: Request) -> dict[str, Any]:
        """The fixed fields of `check --json`. Raises UsageError."""
        began = time.perf_counter()
        judged, problems = await self.judged(request)
        # Part of the way: it fails here as in `serve`.
        judged, _, faults = judged.rendered(judged.facts.now)
        answer = report(
            judged.transaction,
            judged.facts,
            judged.decision,
            judged.plan,
            judged.reply(),
            judged.snapshot.policy,
        )
        if faults:  # a defect of ours, with which the message goes on as in `serve`
            answer["internal_error"] = answer["internal_error"] or f"render: {'; '.join(faults)}"
            _keep(answer, judged)
        if problems:  # the session would have refused it before there was a message
            _refuse(answer, problems)
        answer["elapsed_ms"] = round((time.perf_counter() - began) * 1000, 3)
        return answer

    async def judged(self, request: Request) -> tuple[JudgedMessage, list[str]]:
        """The judged message, and what the session would have refused in its envelope."""
        clock = time.time() if request.now is None else request.now
        configured = self._listener(request)
        envelope, problems = _envelope(request, configured)
        transaction = Transaction(
            id=new_id(clock),
            received_at=clock,
            listener=Listener(configured.name, configured.role),
            envelope=envelope,
            message=mime.parse(request.message),
        )
        snapshot, judging = self._loaded.snapshot, self.judging(request.dns)
        digest = hashlib.sha256(request.message).hexdigest()
        judged = await judge(transaction, snapshot, judging, self._terms, digest, clock)
        return judged, problems

    def judging(self, dns: str = "") -> Judging:
        """What one request is judged by, its counters new: no request is judged by those before
        it. Raises UsageError for a `dns` that is not HOST:PORT."""
        settings, resolver = self._loaded.settings, self._resolver(dns)
        return Judging(
            authenticator=SenderAuthentication(resolver, settings.dns.lifetime, settings.hostname),
            reader=self._reader,
            unblocking=self._lists,
            learned=self._lists,
            earlier=self._lists,
            deadline=settings.deadline,
            engines=panel_of(settings.engines, resolver, settings.hostname, settings.deadline),
        )

    def _resolver(self, dns: str) -> CachingResolver:
        if dns not in self._resolvers:
            given = self._loaded.settings.dns
            if dns:
                try:
                    given = DnsSettings.model_validate({**given.model_dump(), "servers": [dns]})
                except ValidationError as error:
                    raise UsageError(f"--dns is HOST:PORT: {dns!r}") from error
            self._resolvers[dns] = CachingResolver(given)
        return self._resolvers[dns]

    def _listener(self, request: Request) -> ListenerSettings:
        listeners = self._loaded.settings.listeners
        wanted = Role.SUBMISSION if request.auth_user else Role.MX
        for one in listeners:
            if one.name == request.listener or (not request.listener and one.role is wanted):
                return one
        names = ", ".join(one.name for one in listeners)
        raise UsageError(f"no listener {request.listener or wanted.value!r}; there are: {names}")


def _keep(answer: dict[str, Any], judged: JudgedMessage) -> None:
    """Say of the copies that could not be edited what becomes of them."""
    for hold in judged.plan.holds:
        if hold.reason == EDIT_FAILED.code:
            given = answer["recipients"][hold.recipient]
            given |= {"disposition": hold.disposition.word, "reason": hold.reason}
            given["rules"] = list(EDIT_FAILED.rules)
    words = {given["disposition"] for given in answer["recipients"].values()}
    answer["verdict"] = max(Disposition, key=lambda one: (one.word in words, one)).word


def _refuse(answer: dict[str, Any], problems: list[str]) -> None:
    answer["verdict"], answer["reply"] = "bounce", problems[0]
    answer["anomalies"] += [
        {"code": "path", "where": "envelope", "detail": problem, "ambiguous": True}
        for problem in problems
    ]
    for given in answer["recipients"].values():
        given |= {"disposition": "bounce", "reason": "smtp.path"}


def _request(line: bytes, defaults: dict[str, Any]) -> Request:
    try:
        asked = json.loads(line)
        message = base64.b64decode(asked.pop("message_b64"), validate=True)
    except (
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        RecursionError,
        binascii.Error,
    ) as error:
        raise UsageError(f"a request is a JSON object with message_b64: {error}") from error
    unknown = sorted(set(asked) - set(Request.__dataclass_fields__))
    if unknown:
        raise UsageError(f"unknown: {', '.join(unknown)}")
    values = {**defaults, **asked}
    if isinstance(values["rcpt"], str):
        values["rcpt"] = [values["rcpt"]]
    if not isinstance(values["rcpt"], list):
        raise UsageError("rcpt is an address or a list of them")
    texts = [values[k] for k in ("client_ip", "helo", "mail_from", "listener", "auth_user", "dns")]
    well = all(isinstance(text, str) for text in (*texts, *values["rcpt"]))
    if not well or not isinstance(values["now"], (int, float, type(None))):
        raise UsageError("a value has the wrong type")
    if values["now"] is not None and not 0 <= values["now"] < _YEAR_10000:
        raise UsageError("now is in seconds since the epoch, in a year of four digits")
    return Request(**values, message=message)


def _envelope(request: Request, listener: ListenerSettings) -> tuple[Envelope, list[str]]:
    """The envelope, and what the session would have refused in it."""
    if not request.rcpt:
        raise UsageError("at least one --rcpt is needed")
    try:
        ipaddress.ip_address(request.client_ip)
    except ValueError as error:
        raise UsageError(f"--client-ip: {error}") from error
    problems = []
    for text, null_allowed in ((request.mail_from, True), *((r, False) for r in request.rcpt)):
        path = b"<" + decoded(text).encode("utf-8", "surrogateescape") + b">"
        try:
            parse_path(path, smtputf8=True, null_allowed=null_allowed)
        except PathError as error:
            problems.append(f"{error.code} {error.text}")
    return (
        Envelope(
            reverse_path=decoded(request.mail_from),
            recipients=tuple(dict.fromkeys(decoded(r) for r in request.rcpt)),
            client_address=request.client_ip,
            helo=request.helo,
            account=request.auth_user or None,
            tls="TLSv1.3" if request.auth_user else None,
            body="" if request.message.isascii() else "8BITMIME",
            protocol="ESMTPSA" if request.auth_user else "ESMTP",
        ),
        problems,
    )


class _ReadOnlyLists:
    """The database's lists where there is a database; nothing is made where there is none."""

    def __init__(self, loaded: Loaded) -> None:
        self._files = loaded.snapshot.unblocked
        self.database: Database | None = None
        storage = loaded.settings.storage
        if storage.database or (storage.state / "mailguard.db").exists():
            self.database = Database(location(storage.database, storage.state))
            self._unblocked = UnblockedList(self.database)
            self._learned = LearnedWords(self.database)
            _now(self._learned.refresh())

    def look_up(self, mailbox: str, now: float) -> Unblocked | Unavailable | None:
        entry = self._files.get(mailbox)
        if entry is not None and (entry.expires_at is None or entry.expires_at > now):
            return entry
        if self.database is None:
            return None
        return _now(self._unblocked.find(mailbox, now))

    def opinion(self, words: Callable[[], Sequence[str]]) -> Bayes | Unavailable | None:
        if self.database is None:
            return None
        _now(self._learned.refresh())
        return self._learned.opinion(words)

    async def groups_reached(self, message_id: str) -> Collection[str]:
        return await groups_reached(self.database, message_id) if self.database is not None else ()

    def close(self) -> None:
        if self.database is not None:
            self.database.close()


def _now(read: Coroutine[Any, Any, T]) -> T:
    """What a port that answers from memory in `serve` asks the database here: a command serves
    nobody else meanwhile."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, read).result()


def decoded(address: str) -> str:
    """An address from the command line: %XX is an octet; what is no UTF-8 stays distinguishable."""
    try:
        octets = address.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character from JSON: no UTF-8, so no address either
        octets = address.encode("utf-8", "surrogatepass")
    return unquote_to_bytes(octets).decode("utf-8", "surrogateescape")
