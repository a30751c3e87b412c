"""What must not stand in a log: what a function that failed had in its hands."""

from __future__ import annotations

import json

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
