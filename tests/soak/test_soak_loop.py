"""The loop is held no longer by 49 MB of other shapes (`tests/large_release.py`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.large_release import GROUP, HELD, TARA, large, watched

pytestmark = pytest.mark.slow
_ROW = b"The quick brown fox jumps over the lazy dog again and again.\r\n"
_SHAPES = {
    "plain": ("text/plain", "7bit", _ROW, 49_000_000),
    "plain-8MB": ("text/plain", "7bit", _ROW, 8_000_000),
    "short-rows": ("text/plain", "7bit", b"a\r\n", 49_000_000),
    "html": ("text/html", "7bit", b"<p>The quick <b>brown</b> fox again.</p>\r\n", 49_000_000),
    "html-8MB": ("text/html", "7bit", b"<p>The quick <b>brown</b> fox again.</p>\r\n", 8_000_000),
    "quoted": ("text/plain; charset=utf-8", "quoted-printable", b"A br=C3=BCwn fox=\r\n again\r\n",
               49_000_000),
    "quoted-8MB": ("text/plain; charset=utf-8", "quoted-printable",
                   b"A br=C3=BCwn fox=\r\n again\r\n", 8_000_000),
}  # fmt: skip


def shaped(name: str, subject: str) -> bytes:
    kind, encoding, row, octets = _SHAPES[name]
    head = (
        f"From: Tara Olive <{TARA}>\r\nTo: {GROUP}\r\nSubject: {subject}\r\n"
        f"Date: Fri, 20 Nov 2026 09:30:00 -0800\r\nMessage-ID: <{subject}@example.org>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: {kind}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + row * (octets // len(row))


async def test_every_shape(tmp_path: Path) -> None:
    figures: dict[str, list[tuple[float, float]]] = {}
    n = 0
    async with watched(tmp_path) as serve:
        for name in ("attachment", *_SHAPES):
            for again in range(3):
                subject = f"{name}-{again}"
                raw = shaped(name, subject) if name in _SHAPES else large(subject)
                ours, theirs = await serve.held(n, subject, raw)
                n += 1
                figures.setdefault(name, []).append((ours, theirs))
                print(f"{subject}: held {ours} s, a bare loop {theirs} s")
                if ours - theirs <= HELD:
                    break
    held = {
        name: rounds
        for name, rounds in figures.items()
        if all(ours - theirs > HELD for ours, theirs in rounds)
    }
    assert not held, (held, serve.held_by())
