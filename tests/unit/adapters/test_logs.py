"""What must not stand in a log: what a function that failed had in its hands."""

from __future__ import annotations

import json
import logging
import re
import sys

import pytest
import structlog

from mailguard.adapters import logs


@pytest.fixture(autouse=True)
def _structlog_as_before() -> object:
    yield
    structlog.reset_defaults()


def _log_in(password: bytes) -> None:
    raise RuntimeError("a bug")


def test_a_traceback_tells_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    try:
        _log_in(b"correct horse")
    except RuntimeError:
        structlog.get_logger("t").exception("internal error")
    line = capsys.readouterr().err
    event = json.loads(line)
    assert event["exception"][0]["exc_value"] == "a bug"
    assert any(frame["name"] == "_log_in" for frame in event["exception"][0]["frames"])
    assert "correct horse" not in line


HOSTILE = "a\x1b[31mb\x9b2J\u202egpj\r\n{}\u2028end"


@pytest.mark.parametrize("pretty", [True, False], ids=["pretty", "json"])
def test_hostile_text_stays_on_its_line(
    capsys: pytest.CaptureFixture[str], *, pretty: bool
) -> None:
    logs.configure("info", pretty)
    structlog.get_logger("t").info(HOSTILE, subject=HOSTILE, kept=[HOSTILE])
    said = capsys.readouterr().err
    if pretty:
        for colour in set(re.findall(r"\x1b\[[0-9;]*m", said)) - {"\x1b[31m"}:
            said = said.replace(colour, "")
    assert said.count("\n") == 1 and said.endswith("\n")
    assert said[:-1].isprintable()


def test_what_a_library_logs_stays_on_its_line() -> None:
    lines = logs._Lines("%(name)s %(message)s")
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        record = logging.LogRecord("lib", 40, "", 0, "said %s", (HOSTILE,), sys.exc_info())
    first, *traceback = lines.format(record).split("\n")
    assert first == r"lib said a\x1b[31mb\x9b2J\u202egpj\r\n{}\u2028end"
    assert traceback[0].startswith("Traceback")
    assert all(row.isprintable() for row in traceback)
