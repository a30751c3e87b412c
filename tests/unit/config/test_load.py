"""The whole directory: what loads, and what every wrong value is answered with."""

from __future__ import annotations

import os
import stat
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mailguard.config.load import load
from mailguard.core.decision.policy import Mode
from mailguard.core.decision.verdict import Disposition


def test_a_whole_configuration(tree: Any) -> None:
    loaded = tree.load()
    snapshot = loaded.snapshot
    assert loaded.settings.storage.state == tree.root / "state"
    assert snapshot.district.domains == ("example.org",)
    assert [step.check.name for step in snapshot.policy.steps] == ["colour", "shape"]
    assert snapshot.policy.steps[0].on_finding["colour.red"] is Disposition.BOUNCE
    assert snapshot.directory.person_at("Tara@example.com").id == "tolive"
    assert snapshot.directory.account_for("tolive").addresses == (
        "tara.olive@example.org",
        "tara@example.com",
    )
    assert snapshot.unblocked["rosa@example.com"].origin == "allowlist.d/parents.txt:2"
    assert snapshot.notices["blocked"]
    assert loaded.calendar.is_business_day(date(2026, 9, 1))
    assert loaded.warnings == ()


def test_loading_writes_nothing_and_digests_are_stable(tree: Any) -> None:
    before = sorted(tree.root.rglob("*"))
    one, other = tree.load(), tree.load()
    assert sorted(tree.root.rglob("*")) == before
    assert one.snapshot.digest == other.snapshot.digest
    assert len(one.snapshot.link_keys[0]) == 32
    assert one.snapshot.link_keys != other.snapshot.link_keys  # throw-away keys


@pytest.mark.parametrize(
    ("name", "old", "new", "of_policy"),
    [
        ("policy.yaml", "check: shape", "check: shape\n    mode: observe", True),
        ("policy.yaml", "check: shape", "check: shape\n    settings: {limit: 4}", True),
        ("directory/people.csv", "Tara Olive", "Tara Olivia", False),
        ("allowlist.d/parents.txt", "rosa", "rose", False),
        ("mailguard.yaml", "EVUSD", "EVSD", False),
    ],
)
def test_digests_follow_the_content(
    tree: Any, name: str, old: str, new: str, of_policy: bool
) -> None:
    before = tree.load().snapshot
    tree.replace(name, old, new)
    after = tree.load().snapshot
    assert after.digest != before.digest
    assert (after.policy.digest != before.policy.digest) is of_policy


def test_comments_change_no_digest(tree: Any) -> None:
    before = tree.load().snapshot
    for name in ("policy.yaml", "allowlist.d/parents.txt", "mailguard.yaml"):
        tree.write(name, "# a comment\n" + (tree.root / name).read_text())
    tree.replace("policy.yaml", "check: shape", "check: shape\n    on_error: quarantine")
    assert tree.load().snapshot.policy.digest == before.policy.digest


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("role: mx", "role: mxx", "10:11: listeners[0].role: 'mxx' is not one of the values"),
        ("127.0.0.1:2525", "127.0.0.1", "listeners[0].address: '127.0.0.1' is no address with"),
        ("127.0.0.1:2525", "127.0.0.1:99999", "99999 is no port; allowed: 0 to 65535"),
        ("127.0.0.1:2525", "::1:25", "needs brackets"),
        ("127.0.0.1:2525", "300.0.0.1:25", "'300.0.0.1' is no IP address"),
        ("hostname: mail.example.org", "hostnam: mail.example.org", "did you mean 'hostname'?"),
        ("hostname: mail.example.org", "hostname: mail_x example", "is no host name"),
        ("hostname: mail.example.org", "hostname:", "1:10: hostname: has no value; allowed: text"),
        ("[example.org]", "[]", "district.domains: is too short; allowed: at least 1"),
        ("[example.org]", "example.org", "does not fit here; allowed: a list of text"),
        ("[example.org]", "[example.org, Example.ORG]", "'example.org' is in the list already"),
        ("[example.org]", "['*.example.org']", "'*.example.org' is no mail domain"),
        ("spammail@example.org", "spammail", "'spammail' is no mail address"),
        ("spammail@example.org", "spammail@example.com", "is at none of the district's domains"),
        ("short_name: EVUSD", "short_name: 12", "'12' does not fit here; allowed: text"),
        ("short_name: EVUSD", "time_zone: Mars/Base", "'Mars/Base' is no time zone"),
        ("short_name: EVUSD", "time_zone: ../../etc/passwd", "is no time zone"),
        ("storage:", "http: {public_url: 'ftp://x'}\nstorage:", "is no address of a web page"),
        ("storage:", "next: 1\nstorage:", "next: is not known, did you mean 'next_hop'?"),
        ("storage:", "dns: {timeout: 0}\nstorage:", "'0' is too small; allowed: more than 0"),
        ("storage:", "dns: {timeout: yes}\nstorage:", "'yes' does not fit here; allowed: a number"),
        ("storage:", "auth: {insecure_login: yes}\nstorage:", "allowed: true, false"),
        ("storage:", "auth: {insecure_login: 1}\nstorage:", "allowed: true, false"),
        ("storage:", "authentication: {second_opinion: 1.1}\nstorage:", "'1.1' is too large"),
        ("storage:", "authentication: {second_opinion: -1}\nstorage:", "'-1' is too small"),
        ("storage:", "authentication: {second_opinion: 1%}\nstorage:", "allowed: a number"),
        ("storage:", "quarantine_to: both1\nstorage:", "allowed: mailbox, store, both"),
        ("storage:", "limits: 5\nstorage:", "'5' does not fit here; allowed: a mapping with"),
        ("role: mx", "role: relay", "a relay listener trusts its clients and names none"),
        ("role: mx", "role: relay\n    trusted_peers: [nets]", "'nets' is no address or network"),
        ("role: mx", "role: relay\n    trusted_peers: [10.0.0.1/8]", "allowed: 10.0.0.0/8"),
        ("role: mx", "role: relay\n    trusted_peers: [0.0.0.0/0]", "trusts the whole world"),
        ("role: mx", "role: mx\n    tls_key: k.pem", "listeners[0].tls_certificate: is missing"),
        ("role: mx", "role: mx\n    tls_required: true", "tls_required: needs a certificate"),
        ("role: mx", "role: mx\n    proxy_protocol: true", "trusted peers alone"),
    ],
)
def test_settings_errors(tree: Any, old: str, new: str, said: str) -> None:
    tree.replace("mailguard.yaml", old, new)
    errors = tree.errors()
    assert any(said in error for error in errors), errors
    assert all(error.startswith("mailguard.yaml:") for error in errors)


def test_an_error_in_full(tree: Any) -> None:
    tree.replace("mailguard.yaml", "role: mx", "role: submision")
    assert tree.error() == (
        "mailguard.yaml:10:11: listeners[0].role: 'submision' is not one of the values, "
        "did you mean 'submission'?; allowed: mx, submission, relay"
    )


def test_submission_needs_a_login_and_tls(tree: Any) -> None:
    tree.replace("mailguard.yaml", "role: mx", "role: submission")
    assert len(tree.errors()) == 2
    tree.replace(
        "mailguard.yaml", "storage:", "auth: {password_file: pw, insecure_login: true}\nstorage:"
    )
    loaded = tree.load()
    assert "nobody can log in" in str(loaded.warnings[0])
    assert loaded.settings.auth.password_file == tree.root / "pw"


def test_insecure_login_beyond_loopback_is_warned_of(tree: Any) -> None:
    tree.replace("mailguard.yaml", "role: mx", "role: submission")
    tree.replace("mailguard.yaml", "127.0.0.1:2525", "192.0.2.1:587")
    tree.replace(
        "mailguard.yaml",
        "storage:",
        "auth: {pass_to_next_hop: true, insecure_login: true}\nstorage:",
    )
    assert "takes passwords without TLS" in str(tree.load().warnings[0])


def test_listeners_are_unique_and_certificates_exist(tree: Any) -> None:
    tree.replace(
        "mailguard.yaml",
        "next_hop:",
        "  - {name: mx, role: mx, address: '127.0.0.1:2525', tls_certificate: c, tls_key: k}\n"
        "next_hop:",
    )
    errors = "\n".join(tree.errors())
    assert "listeners[1].name: 'mx' is the name of listeners[0] already" in errors
    assert "listeners[1].address: 127.0.0.1:2525 is the address of listeners[0]" in errors
    assert errors.count("there is no file") == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps: []\n", "1:8: steps: is too short; allowed: at least 1"),
        ("", "steps: is missing; allowed: a list of"),
        ("- colour\n", "a mapping"),
        ("steps:\n  - check: color\n", "2:12: steps[0].check: 'color' is no check, did you mean"),
        (
            "steps:\n  - check: shape\n  - check: shape\n",
            "3:12: steps[1].check: 'shape' is steps[0]",
        ),
        ("steps:\n  - check: shape\n    mode: watch\n", "allowed: enforce, observe"),
        ("steps:\n  - check: shape\n    on_error: forward\n", "allowed: quarantine, hold, defer"),
        ("steps:\n  - check: shape\n    on_error: bounce\n", "allowed: quarantine, hold, defer"),
        (
            "steps:\n  - check: shape\n    on_finding:\n      shape.round: drop\n",
            "4:20: steps[0].on_finding.shape.round: 'drop' is not one of the values",
        ),
        (
            "steps:\n  - check: shape\n    on_finding:\n      shape.rond: hold\n",
            "4:7: steps[0].on_finding.shape.rond: is no finding of shape, did you mean 'shape.r",
        ),
        (
            "steps:\n  - check: shape\n    on_finding: {shape.error: hold}\n",
            "on_error; allowed: shape.round",
        ),
        (
            "steps:\n  - check: shape\n    settings: {limit: 12}\n",
            "3:23: steps[0].settings.limit: '12' is too large; allowed: 9 or less",
        ),
        (
            "steps:\n  - check: shape\n    settings: {limits: 2}\n",
            "3:16: steps[0].settings.limits: is not known, did you mean 'limit'",
        ),
        (
            "steps:\n  - check: shape\n    settings: {allowed: [a, 1]}\n",
            "3:29: steps[0].settings.allowed[1]: '1' does not fit here; allowed: text",
        ),
        ("steps:\n  - mode: observe\n", "2:5: steps[0].check: is missing; allowed: text"),
    ],
)
def test_policy_errors(tree: Any, text: str, said: str) -> None:
    tree.write("policy.yaml", text)
    assert said in "\n".join(tree.errors())


def test_policy_values_and_a_check_left_out(tree: Any) -> None:
    tree.write(
        "policy.yaml",
        "steps:\n  - check: colour\n    mode: observe\n    on_error: defer\n"
        "    on_finding: {colour.pale: hold}\n    settings: {strict: true, allowed: [blue]}\n",
    )
    loaded = tree.load()
    (step,) = loaded.snapshot.policy.steps
    assert step.mode is Mode.OBSERVE
    assert step.on_error is Disposition.DEFER
    assert step.on_finding == {
        "colour.red": Disposition.BOUNCE,
        "colour.pale": Disposition.HOLD,
    }
    assert step.settings.allowed == ("blue",)
    assert "the check 'shape' is not listed" in str(loaded.warnings[0])


def test_errors_of_all_files_come_at_once(tree: Any) -> None:
    tree.replace("policy.yaml", "check: shape", "check: shap")
    tree.replace("directory/people.csv", "principal", "king")
    tree.replace("allowlist.d/parents.txt", "rosa@", "@")
    tree.write("notices/blocked.txt", "{nobody}")
    tree.write("calendar.yaml", "holidays: [{date: soon, name: X}]\n")
    files = [error.partition(":")[0] for error in tree.errors()]
    assert sorted(files) == [
        "allowlist.d/parents.txt",
        "calendar.yaml",
        "directory/people.csv",
        "notices/blocked.txt",
        "policy.yaml",
    ]


def test_hostile_values_are_shown_on_one_line(tree: Any) -> None:
    tree.replace("mailguard.yaml", "role: mx", 'role: "mx\\n\\e[2Jx"')
    error = tree.error()
    assert "\n" not in error
    assert "\x1b" not in error


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="there is no such directory"):
        load(tmp_path / "none", checks=())


def test_link_keys_are_made_once_and_private(tree: Any) -> None:
    first = tree.load(create_keys=True).snapshot.link_keys
    path = tree.root / "state" / "link.keys"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tree.load(create_keys=True).snapshot.link_keys == first
    assert tree.load().snapshot.link_keys == first
    path.write_text("ab" * 32 + "\n" + path.read_text())  # rotated by hand
    assert tree.load().snapshot.link_keys == (bytes.fromhex("ab" * 32), *first)
    assert os.listdir(path.parent) == ["link.keys"]


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("secret-but-wrong\n", 0o600, ":1:1: is no key; allowed: 64 hex digits"),
        ("", 0o600, "holds no key"),
        ("ab" * 32 + "\n", 0o644, "may be read by everybody"),
    ],
)
def test_link_keys_that_cannot_be_used(tree: Any, text: str, mode: int, said: str) -> None:
    tree.write("state/link.keys", text)
    (tree.root / "state" / "link.keys").chmod(mode)
    error = tree.error()
    assert said in error
    assert "secret" not in error


def test_a_refused_configuration_makes_no_keys(tree: Any) -> None:
    tree.replace("policy.yaml", "shape", "shap")
    with pytest.raises(Exception, match="shap"):
        tree.load(create_keys=True)
    assert not (tree.root / "state").exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("blocked.txt", "Dear {who}", "blocked.txt:1:6: '{who}' is no slot of this notice"),
        ("blocked.txt", "a\nb } c", "blocked.txt:2:3: a lone }"),
        ("blocked.txt", "a { b", "blocked.txt:1:3: a lone {"),
        ("blocked.txt", "{{district}}", "blocked.txt:1:1: a lone {"),
        ("blocked.txt", "{district.name}", "is no slot of this notice"),
        ("blocked.txt", " \n", "is empty"),
        ("blcked.txt", "x", "'blcked' is no notice, did you mean 'blocked'?"),
    ],
)
def test_notice_errors(tree: Any, name: str, text: str, said: str) -> None:
    tree.write(f"notices/{name}", text)
    assert any(said in error for error in tree.errors())


def test_notice_text_of_the_district(tree: Any) -> None:
    tree.write("notices/blocked.txt", "Blocked at {district}: write to {spammail}.\n")
    assert tree.load().snapshot.notices["blocked"].endswith("write to {spammail}.")


def test_calendar(tree: Any) -> None:
    tree.write(
        "calendar.yaml",
        "business_hours: {opens: 07:30, closes: 15:00, days: [monday, friday]}\n"
        "holidays:\n  - {date: 2026-09-07, name: Labor Day}\n",
    )
    calendar = tree.load().calendar
    assert not calendar.is_business_day(date(2026, 9, 7))
    assert calendar.is_business_day(date(2026, 9, 14))
    assert not calendar.is_business_day(date(2026, 9, 15))
    tree.write("calendar.yaml", "business_hours: {opens: 16:00, closes: 08:00, days: [moonday]}\n")
    errors = "\n".join(tree.errors())
    assert "is not after the opening" in errors
    assert "did you mean 'monday'" in errors
