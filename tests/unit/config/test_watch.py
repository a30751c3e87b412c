"""The configuration in force: swapped whole, kept when the new one is wrong, told to the log."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY
from tests.support.waiting import patiently, soon

from mailguard.config.changes import restarts, summary
from mailguard.config.watch import Live, concerns, watch


def reloads(result: str) -> float:
    return REGISTRY.get_sample_value("mailguard_reloads_total", {"result": result}) or 0.0


def live(tree: Any) -> Live:
    loaded = tree.load(create_keys=True)
    return Live(loaded, checks=tuple(step.check for step in loaded.snapshot.policy.steps))


async def test_reload_swaps_one_reference(tree: Any) -> None:
    holder = live(tree)
    before = holder.snapshot
    accepted = reloads("accepted")
    tree.write("allowlist.d/more.txt", "ann@example.com\n")
    with structlog.testing.capture_logs() as logs:
        assert await holder.reload() == ()
    assert "ann@example.com" not in before.unblocked
    assert "ann@example.com" in holder.snapshot.unblocked
    assert holder.snapshot.link_keys == before.link_keys
    assert reloads("accepted") == accepted + 1
    assert logs[-1]["event"] == "configuration.reloaded"
    assert logs[-1]["changes"] == ["unblocked +1"]


async def test_a_wrong_configuration_is_refused_and_the_old_one_stays(tree: Any) -> None:
    holder = live(tree)
    before, refused = holder.loaded, reloads("refused")
    tree.write("allowlist.d/more.txt", "@gmail.com\n")
    with structlog.testing.capture_logs() as logs:
        (error,) = await holder.reload()
    assert "R37" in str(error)
    assert holder.loaded is before
    assert reloads("refused") == refused + 1
    assert [entry["event"] for entry in logs] == ["configuration.error", "configuration.refused"]


async def test_a_bug_in_loading_keeps_the_old_one(tree: Any) -> None:
    holder = live(tree)
    holder._checks = (None,)  # type: ignore[assignment]  # what no caller may pass
    with structlog.testing.capture_logs():
        errors = await holder.reload()
    assert "see the log" in errors[0].problem


async def test_restart_needed_is_said(tree: Any) -> None:
    holder = live(tree)
    tree.replace("mailguard.yaml", "127.0.0.1:2600", "127.0.0.1:2700")
    tree.replace("mailguard.yaml", "EVUSD", "EVSD")
    with structlog.testing.capture_logs() as logs:
        assert await holder.reload() == ()
    assert logs[-1]["event"] == "configuration.restart_needed"
    assert logs[-1]["settings"] == ["next_hop.address"]
    assert logs[-2]["changes"] == ["settings: district.short_name, next_hop.address"]


def test_summary_counts_each_kind(tree: Any) -> None:
    old = tree.load()
    tree.replace("directory/people.csv", "Tara Olive", "Tara Olivia")
    people = (tree.root / "directory" / "people.csv").read_text()
    tree.write("directory/people.csv", people + "new,New,new@example.org,oak,\n")
    tree.write("directory/groups.yaml", "g@example.org: {name: G}\n")
    tree.write("policy.yaml", "steps:\n  - {check: shape, mode: observe}\n")
    tree.replace("mailguard.yaml", "hostname: mail", "hostname: smtp")
    new = tree.load()
    assert summary(old, new) == [
        "people +1 ~1",
        "groups +1 -2",
        "policy -colour",
        "policy shape: mode",
        "settings: hostname",
    ]
    assert restarts(old.settings, new.settings) == ["hostname"]
    assert summary(new, new) == []


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("policy.yaml", True),
        ("directory/people.csv", True),
        ("allowlist.d/parents.txt", True),
        ("..data/policy.yaml", True),
        (".policy.yaml.swp", False),
        ("policy.yaml~", False),
        ("#policy.yaml#", False),
        (".#policy.yaml", False),
        ("directory/.~lock.people.csv#", False),
        ("4913", False),
        ("state/report.txt", False),
        (".git/notes.txt", False),
    ],
)
def test_what_concerns_the_configuration(name: str, counts: bool) -> None:
    root = Path("/srv/config")
    assert concerns(root, root / "state", str(root / name)) is counts


def test_a_configuration_inside_the_state_directory_is_watched() -> None:
    assert concerns(Path("/srv/state/config"), Path("/srv/state"), "/srv/state/config/policy.yaml")


async def test_saving_a_file_reloads_and_a_draft_does_not(tree: Any) -> None:
    called: list[str] = []
    stop = asyncio.Event()

    async def changed() -> None:
        called.append((tree.root / "policy.yaml").read_text())

    watching = asyncio.create_task(watch(tree.root, tree.root / "state", changed, stop))
    try:
        await asyncio.sleep(0.5)
        tree.write(".policy.yaml.swp", "draft")
        tree.write("state/ledger.txt", "ours")
        await asyncio.sleep(0.8)
        assert called == []
        while not called:  # it may not have been watching yet
            tree.write("policy.new", "steps: []\n")  # an editor's way: write beside, then rename
            (tree.root / "policy.new").rename(tree.root / "policy.yaml")
            with contextlib.suppress(AssertionError):
                await soon(lambda: called, seconds=5)
    finally:
        stop.set()
        async with patiently("the watch to end"):
            await watching
    assert set(called) == {"steps: []\n"}
