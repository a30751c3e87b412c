"""The accepted YAML: plain values with places, and every refusal at its line and column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support import cost

from mailguard.config.form.errors import ConfigErrors
from mailguard.config.form.yaml import load_file, parse


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("True", "True"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0123", "0123"),
        ("0x1f", "0x1f"),
        ("0", 0),
        ("-7", -7),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        ("1.", "1."),
        ("2027-06-30", "2027-06-30"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("12345678901234567890", "12345678901234567890"),
        ("=", "="),
    ],
)
def test_plain_values(written: str, value: Any) -> None:
    found = parse(f"key: {written}\n", "f").value["key"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text() -> None:
    assert parse("22: a\ntrue: b\non: c\n", "f").value == {"22": "a", "true": "b", "on": "c"}


def test_places_of_values_and_keys() -> None:
    document = parse("a:\n  - b: 1\n    c:  x\n", "f")
    assert document.places["a", 0, "c"] == (3, 9)
    assert document.keys["a", 0, "c"] == (3, 5)
    assert str(document.error(("a", 0, "c"), "wrong", "x")) == "f:3:9: a[0].c: wrong; allowed: x"
    # something missing is reported where it should have been
    assert document.place(("a", 0, "missing", "too")) == (2, 5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", "f:2:1: a: comes twice; it is in line 1 already"),
        ("a: &x 1\n", "f:1:4: a: the anchor &x"),
        ("a: *x\n", "f:1:4: a: the alias *x"),
        ("<<: *x\n", "f:1:5: <<: the alias *x"),
        ("a: !!python/object:os.system x\n", "f:1:4: a: the tag "),
        ("a: !!str 1\n", "f:1:4: a: the tag "),
        ("--- 1\n--- 2\n", "f:2:1: a second document"),
        ("? [a]\n: b\n", "f:1:3: a list or mapping as a key"),
        ("a:\n\tb: 1\n", "f:2:1: a tab in the indentation"),
        ("a: @b\n", "f:1:4: a value that begins with @; allowed: such a value in quotes"),
        ("a: [1\nb: 2\n", "f:2:2: is not YAML: "),
        ("a: 1e999\n", "f:1:4: a: '1e999' is too large a number"),
    ],
)
def test_refusals_have_their_place(text: str, said: str) -> None:
    with pytest.raises(ConfigErrors) as refused:
        parse(text, "f")
    assert said in str(refused.value)


def test_all_refusals_are_collected() -> None:
    with pytest.raises(ConfigErrors) as refused:
        parse("a: 1\na: 2\nb: &x 1\nc: *x\n", "f")
    assert [e.line for e in refused.value.errors] == [2, 3, 4]


def refused(text: str) -> None:
    with pytest.raises(ConfigErrors):
        parse(text, "f")


@pytest.mark.parametrize("unit", ["[", "{a: ", "- "])
def test_depth_ends_reading_early(unit: str) -> None:
    cost.assert_linear(cost.growing(unit, 400_000), refused)


def test_aliases_are_refused_in_linear_time() -> None:
    cost.assert_linear(cost.growing("a: *a\n", 2_000), refused)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"a: 1\nb: caf\xe9\n", ":2:7: is not UTF-8 text"),
        (b"a: 1\nb: x\x00\n", ":2:5: the invisible character U+0000"),
        ("a: x\u2028b: y\n".encode(), ":1:5: the invisible character U+2028"),
        ("a: x\u202eb\n".encode(), ":1:5: the invisible character U+202E"),
    ],
)
def test_text_that_is_no_text(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigErrors) as refused:
        load_file(path)
    assert said in str(refused.value)


def test_byte_order_mark_and_missing_file(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert load_file(tmp_path / "f.yaml").value == {"a": 1, "b": 2}
    with pytest.raises(ConfigErrors, match="cannot be read"):
        load_file(tmp_path / "none.yaml")
