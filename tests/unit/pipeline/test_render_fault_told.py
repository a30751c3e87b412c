"""What is told of an edit that fails: metrics by what became of a copy, and `mailguard check`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from tests.support.edits import OVERLAPPING, SEEN_BY_ALL, step
from tests.support.serving import ROOT, message
from tests.support.story import ANN, BOB, Ports, make_world, run

from mailguard.cli.checking import Checker, Request
from mailguard.config.load import load
from mailguard.core.render import render

RECIPIENT = "rosa@example.com"
ASKED = Request(
    message=message("tara.olive@example.org", RECIPIENT),
    mail_from="tara.olive@example.org",
    rcpt=[RECIPIENT],
    auth_user="tolive",
    now=1_795_600_000.0,
)


def counted(disposition: str) -> float:
    labels = {"listener": "mx", "disposition": disposition, "check": ""}
    return REGISTRY.get_sample_value("mailguard_recipients_total", labels) or 0.0


@pytest.mark.parametrize(("deliver", "forwarded", "kept"), [(False, 1, 1), (True, 2, 0)])
async def test_a_copy_is_counted_by_what_became_of_it(
    deliver: bool, forwarded: int, kept: int
) -> None:
    before = counted("forward"), counted("quarantine")
    ports = Ports()
    world = make_world(ports).but(deliver_unedited=deliver)
    assert (await run(ports, step(*OVERLAPPING, *SEEN_BY_ALL), world=world)).code == 250
    assert counted("forward") - before[0] == forwarded
    assert counted("quarantine") - before[1] == kept
    assert set(ports.relayed) == ({ANN, BOB} if deliver else {BOB})


@pytest.mark.parametrize("deliver", [False, True])
async def test_check_names_the_edit_and_answers_as_serve_would(
    monkeypatch: pytest.MonkeyPatch, deliver: bool
) -> None:
    real = render.render

    def broken(raw, edits):
        return real(raw, edits).replace(b"CONFIDENTIALITY", b"CONFIDENTIALLY")

    async with Checker.open(load(ROOT / "config")) as checker:
        good = await checker.judge(ASKED)
        checker._terms = replace(checker._terms, deliver_unedited=deliver)
        monkeypatch.setattr(render, "render", broken)
        answer = await checker.judge(ASKED)
    assert good["internal_error"] is None
    assert set(answer) == set(good)
    assert "the edit '" in answer["internal_error"]
    assert "CONFIDENTIALITY" in answer["internal_error"]
    given = answer["recipients"][RECIPIENT]
    if deliver:
        assert answer["verdict"] == given["disposition"] == "forward"
    else:
        assert answer["verdict"] == given["disposition"] == "quarantine"
        assert given["reason"] == "mailguard.edit-failed"
    assert answer["reply"].startswith("250")
    assert answer["findings"] == good["findings"]
    assert answer["edits"] == good["edits"]
