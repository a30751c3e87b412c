"""Every letter through the whole way of `check`, on the mx listener, with real DNS packets."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.utils import getaddresses, parseaddr
from functools import cache
from pathlib import Path
from typing import Any

from tests.confusion import author_attacks, controls, path_attacks, signature_attacks, trace_attacks
from tests.confusion.letters import Case
from tests.confusion.world import NOW, ZONE, Names
from tests.support.serving import ROOT

from mailguard.cli.checking import Checker, Request
from mailguard.config.load import load
from mailguard.core.mail import address
from mailguard.pipeline.judged_message import JudgedMessage

ATTACKS = (
    *author_attacks.ATTACKS,
    *signature_attacks.ATTACKS,
    *path_attacks.ATTACKS,
    *trace_attacks.ATTACKS,
)
RECIPIENT = "sylvia.aspen@example.org"


@dataclass(frozen=True)
class Judged:
    """What was decided, and as `check --json` tells it."""

    case: Case
    one: JudgedMessage
    told: Mapping[str, Any]

    @property
    def ended(self) -> str:
        """The recipient's disposition."""
        return str(self.told["recipients"][RECIPIENT]["disposition"])

    @property
    def waivers(self) -> tuple[str, ...]:
        """What the unblocked list let pass, in words."""
        return tuple(w.reason for v in self.one.decision.verdicts for w in v.waivers)


@cache
def all_judged() -> Mapping[str, Judged]:
    """By the case's name. The victims, every one, are on the unblocked list."""
    cases = (
        *ATTACKS,
        *path_attacks.UNPROTECTED,
        *controls.CONTROLS,
        *controls.VOUCHED_OTHERWISE,
    )
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "config"
        shutil.copytree(ROOT / "config", config)
        listed = {c.victim for c in cases if re.fullmatch(r"[a-z@.-]{5,60}", c.victim)}
        known = "\n".join(sorted(v for v in listed if v.count(".") < 5 and "." in v))
        (config / "allowlist.d" / "victims.txt").write_text(known + "\n")
        steps = config / "policy.yaml"
        steps.write_text(
            steps.read_text().replace(
                "- check: authentication\n",
                "- check: authentication\n    settings: { trusted_sealers: [forwarder.test] }\n",
            )
        )
        return asyncio.run(_judge_all(config, cases))


async def _judge_all(config: Path, cases: tuple[Case, ...]) -> dict[str, Judged]:
    names = Names(ZONE)
    host, port = await names.start()
    found = {}
    try:
        async with Checker.open(load(config)) as checker:
            for case in cases:
                request = Request(
                    message=case.raw,
                    client_ip=case.client_ip,
                    helo=case.helo,
                    mail_from=case.reverse_path,
                    rcpt=[RECIPIENT],
                    now=NOW,
                    dns=f"{host}:{port}",
                )
                one, _ = await checker.judged(request)
                assert case.name not in found, case.name
                found[case.name] = Judged(case, one, await checker.judge(request))
    finally:
        await names.stop()
    return found


_FIRST = re.compile(r"^from[ \t]*:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.MULTILINE | re.IGNORECASE)
_IN_ANGLES = re.compile(r"<([^<>\s]+@[^<>\s]+)>")
_ANYWHERE = re.compile(r"[^\s<>()\",;:]+@[^\s<>()\",;:]+")


def shown(raw: bytes) -> set[str]:
    """Whom mail programs may show as the author: by the standard library, old and new; by what
    stands in the first or the last From field, read naively. Normalised."""
    found: set[str] = set()
    for reading in (_new_library, _old_library, _naive):
        try:
            found.update(reading(raw))
        except Exception:
            continue  # a program that gives up shows nobody
    return {address.normalise(mailbox.strip("<>")) for mailbox in found if "@" in mailbox}


def _new_library(raw: bytes) -> Iterator[str]:
    message = message_from_bytes(raw, policy=policy.default)
    for value in message.get_all("from", []):
        for one in value.addresses:
            yield one.addr_spec


def _old_library(raw: bytes) -> Iterator[str]:
    message = message_from_bytes(raw)
    values = [str(value) for value in message.get_all("from", [])]
    for _, mailbox in getaddresses(values):
        yield mailbox
    for value in (*values[:1], *values[-1:]):
        yield parseaddr(value)[1]
        yield parseaddr(value, strict=False)[1]


def _naive(raw: bytes) -> Iterator[str]:
    """Without any grammar: the header ends at an empty line, fields begin at a line's start."""
    header = re.split(r"\r?\n\r?\n", raw.decode("utf-8", "replace"), maxsplit=1)[0]
    values = [" ".join(value.split()) for value in _FIRST.findall(header)]
    for value in (*values[:1], *values[-1:]):
        angles = _IN_ANGLES.findall(value)
        if angles:
            yield angles[-1]
        else:
            yield from _ANYWHERE.findall(value)[:1]
