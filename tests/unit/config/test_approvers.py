"""Whom policy may name to approve what is held, and what a wrong name is answered with."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mailguard.config.form.errors import ConfigErrors
from mailguard.config.policy import digest_of, policy_json, restore
from mailguard.core.decision.approval import SITE_OR_TECHNOLOGY, anybody_of, each_of
from mailguard.core.people.model import OutsideApprover

COUNSEL = "counsel:\n  name: Lena Linden, counsel\n  address: Lena@Law.example\n"


def policy(tree: Any, approvers: str) -> None:
    tree.replace("policy.yaml", "check: shape", f"check: shape\n    approvers: {approvers}")


def errors(tree: Any) -> list[str]:
    with pytest.raises(ConfigErrors) as raised:
        tree.load()
    return [str(error).removeprefix(f"{tree.root}/") for error in raised.value.errors]


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("[human_resources]", anybody_of("human_resources")),
        ("[site_administration, technology]", anybody_of("site_administration", "technology")),
        ("[person:tolive, outside:counsel]", anybody_of("person:tolive", "outside:counsel")),
        ("{both: [technology, supervisor]}", each_of("technology", "supervisor")),
        ("{both: [technology, technology]}", each_of("technology", "technology")),
    ],
)
def test_what_may_be_written_is_restored_for_explain(tree: Any, written: str, wanted: Any) -> None:
    tree.write("directory/outside.yaml", COUNSEL)
    policy(tree, f"{{shape.round: {written}}}")
    loaded = tree.load().snapshot.policy
    assert loaded.approval_of("shape.round") == wanted
    assert loaded.approval_of("colour.red") == SITE_OR_TECHNOLOGY
    checks = [step.check for step in loaded.steps]
    again = restore(policy_json(loaded.steps), checks)
    assert again == loaded
    assert again.approval_of("shape.round") == wanted


def test_a_policy_that_says_nothing_keeps_its_octets(tree: Any) -> None:
    steps = tree.load().snapshot.policy.steps
    assert all("approvers" not in step for step in json.loads(policy_json(steps)))
    before = digest_of(steps)
    said = [replace(step, approvers={"shape.round": anybody_of("cfo")}) for step in steps]
    assert digest_of(said) != before


def test_an_outside_approver_is_in_force(tree: Any) -> None:
    before = tree.load().snapshot
    tree.write("directory/outside.yaml", COUNSEL)
    after = tree.load().snapshot
    one = OutsideApprover("outside:counsel", "Lena Linden, counsel", "lena@law.example")
    assert after.directory.outside == {"outside:counsel": one}
    assert after.directory.outside_at("LENA@law.example") == one
    assert after.digest != before.digest
    assert after.policy.digest == before.policy.digest


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("{shape.rund: [technology]}", "is no finding of shape, did you mean 'shape.round'?"),
        ("{shape.round: []}", "1 to 20 approvers, each once"),
        ("{shape.round: technology}", "a list of approvers, or both: with a list of two"),
        ("{shape.round: [cfo, cfo]}", "1 to 20 approvers, each once"),
        ("{shape.round: {both: [technology]}}", "two approvers under both:"),
        ("{shape.round: {all: [cfo, technology]}}", "a list of approvers, or both:"),
        ("{shape.round: [human_resource]}", "did you mean 'human_resources'?"),
        ("{shape.round: ['person:']}", "'person:' approves nothing"),
        ("{shape.round: [tara.olive@example.org]}", "people are named by person: and their id"),
        ("{shape.round: [person:toliv]}", "is nobody in the directory, did you mean 'tolive'?"),
        ("{shape.round: ['outside:a~b']}", "'outside:a~b' approves nothing"),
        ("{shape.round: ['person:a|technology']}", "'person:a|technology' approves nothing"),
        ("{shape.round: [outside:council]}", "did you mean 'outside:counsel'?"),
        ("{shape.round: {both: [cfo, person:nobody]}}", "'nobody' is nobody in the directory"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(tree: Any, written: str, wanted: str) -> None:
    tree.write("directory/outside.yaml", COUNSEL)
    policy(tree, written)
    (said,) = errors(tree)
    assert said.startswith("policy.yaml:")
    assert wanted in said
    line, column = said.split(":")[1:3]
    text = (tree.root / "policy.yaml").read_text().splitlines()[int(line) - 1]
    assert text.strip().startswith("approvers:")
    assert int(column) > text.index("{")


def test_a_role_that_nobody_has_is_warned_of(tree: Any) -> None:
    policy(tree, "{shape.round: [cfo]}")
    (warning,) = tree.load().warnings
    assert "nobody in the directory has the role 'cfo'" in str(warning)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("counsel: {name: L, address: lena@example.org}", "is at a domain of the district"),
        ("counsel: {name: L, address: '@law.example'}", "outside.yaml:1:"),
        ("counsel: {name: L, address: '*@law.example'}", "is a pattern"),
        ("counsel: {name: L}", "counsel.address: is missing"),
        (
            "a: {name: A, address: l@law.example}\nb: {name: B, address: L@law.example}",
            "'L@law.example' belongs to outside a already",
        ),
        ("counsel: {name: L, address: tara@example.com}", "belongs to person tolive already"),
    ],
)
def test_an_outside_address_is_one_persons_and_outside(tree: Any, text: str, wanted: str) -> None:
    """Who has it as their own address would be two approvers."""
    tree.write("directory/outside.yaml", text + "\n")
    said = errors(tree)
    assert len(said) == 1
    assert wanted.lower() in said[0].lower()


def test_no_person_has_the_id_of_somebody_outside(tree: Any) -> None:
    tree.replace("directory/people.csv", "\ntolive,", "\noutside:counsel,")
    assert any("begins as the ids of approvers outside do" in said for said in errors(tree))
