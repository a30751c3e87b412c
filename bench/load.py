"""A bounded SMTP load on loopback: N messages, each of its own, over M kept sessions.

Run as a process of its own, so that its CPU time is not the server's. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import textwrap
import time

_COMMON = """
the of and a to in is you that it he was for on are as with his they at be this have from
or one had by word but not what all were we when your can said there use an each which she
do how their if will up other about out many then them these so some her would make like
him into time has look two more write go see number no way could people my than first
water been call who oil its now find long down day did get come made may part homework
classroom parents meeting school
"""
WORDS = _COMMON.split()


def html_mail(number: int, seed: int) -> bytes:
    """A 12 kB multipart/alternative mail with ten links, unlike any other."""
    dice = random.Random(seed * 1_000_003 + number)
    link = [
        f'<a href="https://news{n}.example.net/read?id={number}&amp;n={n}">Read more about it</a>'
        for n in range(10)
    ]
    rows = "\r\n".join(
        f'<tr><td style="font-family:Arial;font-size:14px;padding:4px 8px" class="c{n}">\r\n<p>'
        + "\r\n".join(textwrap.wrap(" ".join(dice.choices(WORDS, k=165)), 90))
        + f".</p>\r\n{link[n]}</td></tr>"
        for n in range(10)
    )
    text = "\r\n\r\n".join(" ".join(dice.choices(WORDS, k=12)) for _ in range(35))
    return "\r\n".join(
        [
            "From: Parent Association <news@example.com>",
            "To: Ada Teacher <ada.birch@example.org>",
            f"Subject: News of the week {number}",
            "Date: Sat, 21 Nov 2026 10:00:00 +0000",
            f"Message-ID: <{seed}.{number}@example.com>",
            "MIME-Version: 1.0",
            'Content-Type: multipart/alternative; boundary="=_b1"',
            "",
            "--=_b1",
            "Content-Type: text/plain; charset=utf-8",
            "",
            text,
            "--=_b1",
            "Content-Type: text/html; charset=utf-8",
            "",
            f"<html><head><title>News</title></head><body><table>\r\n{rows}\r\n</table></body></html>",
            "--=_b1--",
            "",
        ]
    ).encode()


def attachment_mail(number: int, seed: int) -> bytes:
    """A short text with a 2 MB attachment in base64."""
    dice = random.Random(seed * 1_000_003 + number)
    octets = base64.encodebytes(dice.randbytes(2_000_000 * 3 // 4)).replace(b"\n", b"\r\n")
    head = (
        "From: Parent Association <news@example.com>\r\nTo: <ada.birch@example.org>\r\n"
        f"Subject: Photographs {number}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{seed}.a{number}@example.com>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="=_b2"\r\n\r\n--=_b2\r\n'
        "Content-Type: text/plain; charset=utf-8\r\n\r\nHere are the photographs you asked for.\r\n"
        '--=_b2\r\nContent-Type: image/jpeg; name="photographs.jpg"\r\n'
        "Content-Transfer-Encoding: base64\r\n"
        'Content-Disposition: attachment; filename="photographs.jpg"\r\n\r\n'
    )
    return head.encode() + octets + b"--=_b2--\r\n"


KINDS = {"html12k": html_mail, "attach2m": attachment_mail}


class Session:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> int:
        while True:
            line = await self.reader.readline()
            if line[3:4] != b"-":
                return int(line[:3] or b"0")

    async def send(self, recipient: str, raw: bytes) -> int:
        self.writer.write(
            f"MAIL FROM:<news@example.com>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()
        )
        codes = [await self.reply() for _ in range(3)]
        if codes != [250, 250, 354]:
            raise RuntimeError(f"unexpected replies {codes}")
        self.writer.write(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        await self.writer.drain()
        return await self.reply()


async def run(arguments: argparse.Namespace) -> None:
    make = KINDS[arguments.kind]
    made = [make(n, arguments.seed) for n in range(arguments.messages)]  # before the clock starts
    waiting = list(enumerate(made))
    latencies: list[float] = []
    codes: dict[int, int] = {}

    async def one_session() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", arguments.port, limit=2**20)
        session = Session(reader, writer)
        await session.reply()
        writer.write(b"EHLO load.example.net\r\n")
        await session.reply()
        while waiting:
            _, raw = waiting.pop()
            began = time.perf_counter()
            code = await session.send(arguments.recipient, raw)
            latencies.append(time.perf_counter() - began)
            codes[code] = codes.get(code, 0) + 1
        writer.write(b"QUIT\r\n")
        await session.reply()
        writer.close()

    began = time.perf_counter()
    async with asyncio.timeout(arguments.seconds):
        await asyncio.gather(*(one_session() for _ in range(arguments.sessions)))
    took = time.perf_counter() - began
    latencies.sort()
    print(
        json.dumps(
            {
                "messages": len(latencies),
                "octets": len(made[0]),
                "codes": codes,
                "per_second": round(len(latencies) / took, 1),
                "p50_ms": round(latencies[len(latencies) // 2] * 1000, 2),
                "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 2),
            }
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--kind", choices=sorted(KINDS), default="html12k")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--recipient", default="ada.birch@example.org")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=120.0)
    asyncio.run(run(parser.parse_args()))
