"""Without edits a message leaves as it came; with them, all that they do not name does.

Judged twice: by our own parser, and by Python's, which knows nothing of how we edit.
"""

from __future__ import annotations

import asyncio
import email
import email.message
import hashlib
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from tests.corpus import variations
from tests.support.linked_mails import proposed
from tests.support.serving import ROOT

from mailguard.cli.checking import Checker, Request
from mailguard.config.load import load
from mailguard.core.decision.edit import Edit, ReplaceText, Wrap
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message
from mailguard.core.render import render, trace

NO_EDITS = "steps: [{check: structure, mode: observe}]\n"


def leaves(message: Message) -> list[tuple[str, str, str]]:
    """Path, type and digest of every part that has none within."""
    return [
        (p.path, p.content_type, hashlib.sha256(message.raw[p.start : p.end]).hexdigest())
        for p in message.parts
        if not p.children
    ]


def another_opinion(raw: bytes) -> list[tuple[str, str]]:
    """Type and digest of every part as Python's parser sees them."""
    found = []
    for part in email.message_from_bytes(raw).walk():
        body = "" if part.is_multipart() else str(part._payload)  # type: ignore[attr-defined]
        digest = hashlib.sha256(body.encode("utf-8", "surrogateescape")).hexdigest()
        found.append((part.get_content_type(), digest))
    return found


def compare(
    name: str, raw: bytes, mode: str, counts: Counter[str], everywhere: bool = False
) -> list[str]:
    """What is wrong with one message after its edits."""
    message = mime.parse(raw)
    if render.render(message, ()) != raw:
        return [f"{name}: no edits, and yet it changed"]
    edits = proposed(message, mode, everywhere)
    counts["messages"] += 1
    if not edits:
        return []
    rendered = render.render(message, edits)
    fault = render.verify(message, rendered, edits)
    if fault is not None:
        if any(defect.code == "fields-too-many" for defect in message.defects):
            counts["said by the self-check"] += 1  # no field can be added; the original leaves
            return []
        return [f"{name}: {fault}"]
    changed = {edit.part for edit in edits if hasattr(edit, "part")}
    counts["changed"] += bool(changed)
    counts["edits"] += len(edits)
    counts["changed in an attached message"] += any(_is_nested(message, path) for path in changed)
    if any(isinstance(edit, Wrap) for edit in edits):
        counts["wrapped"] += 1
        return wrapped(name, raw, message, edits, rendered)
    before, after = leaves(message), leaves(mime.parse(rendered))
    if [leaf[:2] for leaf in before] != [leaf[:2] for leaf in after]:
        return [f"{name}: another structure"]
    said = []
    for old, new in zip(before, after, strict=True):
        if old[0] in changed or old[0] == "":
            continue
        counts["parts kept"] += 1
        if old != new:
            said.append(f"{name}: part {old[0]} is not as it was")
    if not name.startswith(("hostile-", "sample-")):
        one, other = another_opinion(raw), another_opinion(rendered)
        differ = [a for a, b in zip(one, other, strict=False) if a[1] != b[1]]
        if [kind for kind, _ in one] != [kind for kind, _ in other]:
            said.append(f"{name}: another structure to Python")
        elif len(differ) > len(changed) or any(not k.startswith("text/") for k, _ in differ):
            said.append(
                f"{name}: Python sees {len(differ)} parts changed, {len(changed)} were to be"
            )
        counts["seen by Python too"] += 1
    return said


def _is_nested(message: Message, path: str) -> bool:
    kinds = {part.path: part.content_type for part in message.parts}
    above = [path[:at] for at, c in enumerate(path) if c == "."]
    return any(not kinds[one].startswith("multipart/") for one in above)


def wrapped(
    name: str, raw: bytes, message: Message, edits: Sequence[Edit], rendered: bytes
) -> list[str]:
    """What is wrong with a message that was put below a text: it has to be there to the octet, but
    for texts beside what is signed."""
    inner = render.render(message, [e for e in edits if isinstance(e, ReplaceText)])
    attached = mime.parse(rendered).root.children[1]
    if rendered[attached.body_start : attached.end] != inner:
        return [f"{name}: what is wrapped is not as it was"]
    kinds = [kind for kind, _ in another_opinion(raw)]
    seen = [kind for kind, _ in another_opinion(rendered)]
    if not name.startswith(("hostile-", "sample-")) and seen[3:] != kinds:
        return [f"{name}: another structure within to Python"]
    return []


def all_of(messages: Iterable[variations.Named]) -> Counter[str]:
    counts: Counter[str] = Counter()
    wrong = []
    for number, (name, raw) in enumerate(messages):
        mode = ("copy-page", "copy-page", "unlink")[number % 3]
        wrong += compare(name, raw, mode, counts, everywhere=number % 4 > 1)
    assert not wrong, f"{len(wrong)} are wrong:\n" + "\n".join(wrong[:30])
    return counts


def unedited(directory: Path, messages: Iterable[variations.Named]) -> int:
    """How many leave byte for byte as they came through a policy that only looks, trace fields on
    top aside. Raises AssertionError on the first that does not."""
    shutil.copytree(ROOT / "config", directory / "config", dirs_exist_ok=True)
    (directory / "config" / "policy.yaml").write_text(NO_EDITS)

    async def run() -> int:
        count = 0
        async with Checker.open(load(directory / "config")) as checker:
            for name, raw in messages:
                # Submitted, so that no nameserver is asked.
                request = Request(
                    raw,
                    mail_from="tara.olive@example.org",
                    rcpt=["rosa@example.com"],
                    auth_user="tolive",
                    now=1_795_600_000.0,
                )
                one, _ = await checker.judged(request)
                if trace.forged_fields(mime.parse(raw), one.snapshot.district, True):
                    continue  # these are taken off whatever the policy says
                for copy in one.copies(one.facts.now).values():
                    assert copy.endswith(raw), name
                    top = copy[: len(copy) - len(raw)]
                    assert top.startswith(b"Received: ") and top.endswith(b"\r\n"), name
                    count += 1
        return count

    return asyncio.run(run())


def test_six_hundred() -> None:
    counts = all_of(variations.messages(600))
    assert counts["changed"] > 250, counts
    assert counts["changed in an attached message"] > 5, counts
    assert counts["wrapped"] > 5, counts


def test_through_a_policy_that_only_looks(tmp_path: Path) -> None:
    assert unedited(tmp_path, variations.messages(200)) > 150


@pytest.mark.slow
def test_six_thousand(tmp_path: Path) -> None:
    counts = all_of(variations.messages(6_000))
    print(dict(counts))
    same = unedited(tmp_path, variations.messages(6_000))
    print(f"{same} left byte for byte as they came through a policy that only looks")
    assert counts["messages"] >= 5_000
    assert same >= 5_000
