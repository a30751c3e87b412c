"""What of aiosmtpd runs in a session: the very list of docs/adr/0008, and nothing besides."""

from __future__ import annotations

import asyncio
import base64
import re
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import aiosmtpd
import pytest
from aiosmtpd.smtp import SMTP

from mailguard.frontends.smtp import connection, identity, session
from mailguard.frontends.smtp.session import SmtpSession

if TYPE_CHECKING:
    from conftest import Running, Serve

ADR = Path(__file__).resolve().parent.parent.parent / "docs" / "adr" / "0008-aiosmtpd.md"
HOME = str(Path(aiosmtpd.__file__).parent)
OURS = (connection, identity, session)
LOGIN = base64.b64encode(b"\0tolive\0good")


def listed() -> set[str]:
    """The first column of the ADR's table."""
    return set(re.findall(r"^\| `([\w.]+)` \|", ADR.read_text(), re.MULTILINE))


async def everything(serve: Serve) -> None:
    """Sessions of every kind and every end that a session can have."""
    plain: Running = await serve()
    client = await plain.connect()
    await client.hello()
    assert (await client.mail()).startswith("250")
    for command in (b"RSET", b"NOOP", b"VRFY a", b"EXPN a", b"HELP", b"HELO a.test", b"AUTH PLAIN"):
        assert await client.ask(command)
    for command in (b"STARTTLS", b"BOGUS", b"MAIL FROM:<a(b)c@a>", b"x" * 9_000, b"QUIT"):
        assert await client.ask(command)
    cut = await plain.connect()
    await cut.hello()
    cut.send(b"MAIL FROM:<a@example.net>\r\nRCPT TO:<crash@example.org>\r\n")
    await cut.reply()
    assert (await cut.reply()).startswith("451")
    cut.writer.transport.abort()
    half = await plain.connect()
    await half.hello()
    half.writer.write_eof()

    slow = await (await serve(limits={"idle": 0.05})).connect()
    await slow.reply()
    assert (await slow.reply()).startswith("421 4.4.2")

    submission = await serve("submission", tls=True)
    client = await submission.connect()
    await client.hello()
    assert (await client.ask(b"STARTTLS")).startswith("220")
    await client.start_tls()
    assert (await client.ask(b"EHLO client.test")).startswith("250")
    assert (await client.ask(b"AUTH PLAIN " + LOGIN)).startswith("235")
    assert (await client.mail()).startswith("250")
    failed = await submission.connect()
    await failed.hello()
    assert (await failed.ask(b"STARTTLS")).startswith("220")
    failed.send(b"no handshake\r\n")
    await failed.closed()

    implicit = await serve(tls=True, implicit_tls=True)
    client = await implicit.connect(tls=True)
    await client.hello()
    for running in (plain, submission, implicit):
        await running.servers.drain(0.1)
    await asyncio.sleep(0)


async def test_what_runs_of_aiosmtpd_is_what_the_record_says(serve: Serve) -> None:
    reached: set[str] = set()

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(HOME):
            reached.add(frame.f_code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        await everything(serve)
    finally:
        sys.setprofile(before)
    # When a session's object is freed is the garbage collector's business.
    assert reached | {"SMTP.__del__"} == listed()


def test_no_command_and_no_login_is_inherited() -> None:
    """A new version of aiosmtpd that knows more must not make us offer it."""
    own = {name for module in OURS for one in vars(module).values() if isinstance(one, type)
           and one.__module__ == module.__name__ for name in vars(one)}  # fmt: skip
    offered = {name for name in dir(SmtpSession) if name.startswith("smtp_")}
    assert offered and offered <= own
    assert {f"smtp_{verb.decode()}" for verb in session._COMMANDS} == offered
    inherited = {name for name in vars(SMTP) if callable(getattr(SMTP, name))} - own
    called = {name for one in listed() if (name := one.partition(".")[2]) in vars(SMTP)}
    assert called - own == {"_create_session", "__del__"}
    assert inherited >= called - own


@pytest.mark.parametrize("name", ["_handle_hooks", "_auth_methods", "event_handler", "envelope"])
async def test_no_hook_is_set_up(name: str, serve: Serve) -> None:
    running = await serve()
    await (await running.connect()).hello()
    (one,) = running.servers._services[0].sessions
    assert name not in vars(one)
