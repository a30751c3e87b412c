"""The ARC suite (ValiMail's arc_test_suite): 171 chains validated, 17 messages sealed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.suites.where import find, suite

from mailguard.core.authentication.arc import verify as verify_arc
from mailguard.core.authentication.arc_seal import seal
from mailguard.core.authentication.authentication_results import is_ours, read
from mailguard.core.authentication.dkim_canonical import canonical, parse_tags, unspaced
from mailguard.core.authentication.dkim_signing import SigningKey, load_private_key
from mailguard.core.authentication.dns_answers import Answer, NxDomain, Records

VALIDATION, SIGNING = "arc-draft-validation-tests.yml", "arc-draft-sign-tests.yml"
NOW = 1_700_000_000.0
# The draft gave a chain that was sealed as failed no status; RFC 8617 5.2 step 2 says "fail".
EXPECTED = {"Pass": "pass", "Fail": "fail", "None": "none", "": "fail"}


class Keys(dict[str, Answer]):
    """A scenario's records; no other name exists."""

    def __missing__(self, name: str) -> Answer:
        return NxDomain()

    def get(self, name: str, default: object = None) -> Any:
        return self[name]


def _cases(name: str) -> list[Any]:
    """(scenario, test) pairs; one case that tells of the missing suite where there is none."""
    path = find(name)
    if path is None:
        return [pytest.param(name, None, id="missing")]
    return list(_read(path))


def _read(path: Path) -> Iterator[Any]:
    with path.open() as stream:
        for scenario in yaml.load_all(stream, yaml.CSafeLoader):
            for name, test in scenario["tests"].items():
                yield pytest.param(scenario, test, id=f"{scenario['description'].strip()}-{name}")


def _octets(text: str) -> bytes:
    return text.encode().replace(b"\n", b"\r\n")


def _keys(scenario: Any) -> Keys:
    records = scenario.get("txt-records") or {}
    return Keys({name: Records((text.encode(),)) for name, text in records.items()})


def test_number_of_cases() -> None:
    suite(VALIDATION)
    suite(SIGNING)
    assert (len(_cases(VALIDATION)), len(_cases(SIGNING))) == (171, 17)


@pytest.mark.parametrize(("scenario", "test"), _cases(VALIDATION))
def test_validation(scenario: Any, test: Any) -> None:
    suite(VALIDATION)
    found = verify_arc(canonical(_octets(test["message"])), _keys(scenario), NOW)
    assert getattr(found, "cv", None) == EXPECTED[test["cv"] or ""], found


@pytest.mark.parametrize(("scenario", "test"), _cases(SIGNING))
def test_signing(scenario: Any, test: Any) -> None:
    suite(SIGNING)
    raw = _octets(test["message"])
    view = canonical(raw)
    ours = [view.value(i) for i in view.by_name.get(b"authentication-results", ())]
    results = _merged(ours, test["srv-id"])
    read_back = read(results)
    assert read_back is not None
    cv = next((one.result for one in read_back.results if one.method == "arc"), "none")
    key = SigningKey(
        scenario["domain"], scenario["sel"], load_private_key(scenario["privatekey"].encode())
    )
    names = test["sig-headers"].lower().encode().split(b":")
    added = seal(raw, results, cv, key, float(test["t"]), names=names)
    if not test["AS"].strip():
        assert added == b""
        return
    sealed = canonical(added)
    assert _tags(sealed.value(0)) == _tags(_octets(test["AS"]))
    assert _tags(sealed.value(1)) == _tags(_octets(test["AMS"]))
    assert _squeezed(sealed.value(2)) == _squeezed(_octets(test["AAR"]))
    if cv != "fail":
        found = verify_arc(canonical(added + raw), _keys(scenario), NOW)
        assert getattr(found, "cv", None) == "pass", found


def _merged(values: list[bytes], authserv_id: str) -> bytes:
    """Fields of one authserv-id as one value, in the words of the suite (RFC 8617 4.1.1)."""
    ours = [value.partition(b";")[2] for value in values if is_ours(value, authserv_id)]
    return b"; ".join([authserv_id.encode(), *(b" ".join(value.split()) for value in ours)])


def _tags(value: bytes) -> dict[bytes, bytes]:
    tags = parse_tags(value)
    assert tags is not None
    return {tag: unspaced(content) for tag, content in tags.items()}


def _squeezed(value: bytes) -> bytes:
    return b" ".join(value.replace(b";", b"; ").split())
