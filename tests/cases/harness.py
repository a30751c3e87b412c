"""Running the cases: one folder is one message through the example district of `config/`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from tests.support.nameserver import nameserver
from tests.support.serving import ROOT

from mailguard.cli.checking import Checker, Request
from mailguard.config.load import load
from mailguard.core.mail import mime
from mailguard.core.render import trace
from mailguard.pipeline.judged_message import JudgedMessage

CASES = Path(__file__).resolve().parent
FOLDERS = sorted(p.parent for p in CASES.glob("*/envelope.yaml"))


@dataclass(frozen=True)
class Judged:
    """A case's message, what it asks for, and what was decided."""

    raw: bytes
    wanted: Mapping[str, Any]
    message: JudgedMessage

    def copies(self) -> dict[str, bytes]:
        """Each forwarded recipient's copy, our Received and Authentication-Results taken off."""
        transaction = self.message.transaction
        ours = trace.received(transaction, self.message.terms.hostname)
        results = trace.results(transaction, self.message.facts)
        if results:
            ours = trace.authentication_results_field(results) + ours
        rendered = self.message.copies(self.message.facts.now)
        return {
            recipient: rendered[n].removeprefix(ours)
            for n, variant in enumerate(self.message.plan.variants)
            for recipient in variant.recipients
        }


@cache
def all_judged() -> Mapping[Path, Judged]:
    """Every case through the code that `serve` and `check` share."""

    async def judge_all() -> dict[Path, Judged]:
        async with Checker.open(load(ROOT / "config")) as checker:
            return {folder: await _judged(checker, folder) for folder in FOLDERS}

    return asyncio.run(judge_all())


async def _judged(checker: Checker, folder: Path) -> Judged:
    said = yaml.safe_load((folder / "envelope.yaml").read_text())
    raw = (folder / "message.eml").read_bytes()
    request = Request(
        message=raw,
        client_ip=said["client_address"],
        helo=said["helo"],
        mail_from=said["reverse_path"].replace("%", "%25"),
        rcpt=[r.replace("%", "%25") for r in said["recipients"]],
        listener=said["listener"],
        auth_user=said["account"] or "",
        now=float(said["received_at"]),
        dns=nameserver(),
    )
    message, problems = await checker.judged(request)
    assert not problems, problems
    return Judged(raw, yaml.safe_load((folder / "decision.yaml").read_text()), message)


def outputs(case: Judged) -> dict[str, bytes]:
    """The files that `make cases` writes: the reply, and each variant that leaves.

    The id stands in the reply and the links' keys differ on every machine, so neither is kept.
    """
    transaction = case.message.transaction
    files = {"reply.txt": f"{case.message.reply()}\n".replace(transaction.id, "ID").encode()}
    copies = case.copies()
    for n, variant in enumerate(case.message.plan.variants):
        copy = copies[variant.recipients[0]]
        if copy != case.raw:
            files[f"out/{n}.eml"] = copy
    return files


def words_of(copy: bytes) -> str:
    """All of a message after transfer decoding, white space folded: for `contains` and `lacks`."""
    message = mime.parse(copy)
    head = copy[: message.root.body_start]
    bodies = [mime.decoded_body(message, p)[0] for p in message.parts if not p.children]
    return " ".join(b"\n".join([head, *bodies]).decode("utf-8", "replace").split())
