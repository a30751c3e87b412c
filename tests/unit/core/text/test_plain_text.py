"""Addresses and authors in plain text."""
# ruff: noqa: E501 - samples of mail stand on one line each

import pytest
from tests.support import cost

from mailguard.core.text import plain_text


def targets(text: str, joined: bool = False) -> list[str]:
    return [link.target for link in plain_text.links("", text, joined, 1_000)[0]]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("see https://a.test/x.", "https://a.test/x"),
        ("see (https://a.test/x_(y)).", "https://a.test/x_(y)"),
        ("see <https://a.test/x>", "https://a.test/x"),
        ('"https://a.test/x"', "https://a.test/x"),
        ("HTTPS://A.test/?q=a,b;c!", "HTTPS://A.test/?q=a,b;c"),
        ("www.a.test/path, and", "http://www.a.test/path"),
        ("http://192.0.2.1:8080/x", "http://192.0.2.1:8080/x"),
        ("http://b\u00fccher.test/\u00e9", "http://b\u00fccher.test/\u00e9"),
        ("https://u:p@a.test/", "https://u:p@a.test/"),
        ("x:http://a.test", "http://a.test"),
    ],
)
def test_an_address(text: str, target: str) -> None:
    assert targets(text) == [target]


@pytest.mark.parametrize(
    "text", ["mailto:a@b.test", "http://", "wwww.a.test", "a@www.b.test", "ahttp", ""]
)
def test_no_address(text: str) -> None:
    assert targets(text) == []


def test_wrapped_addresses() -> None:
    assert targets("<https://a.test/one\r\ntwo/three>") == ["https://a.test/onetwo/three"]
    assert targets("https://a.test/one \r\ntwo more", joined=True) == ["https://a.test/onetwo"]
    assert targets("https://a.test/one\r\ntwo") == ["https://a.test/one"]
    assert targets("<https://a.test/one\r\ntwo three>") == ["https://a.test/one"]


@pytest.mark.parametrize(
    "text",
    [
        cost.growing("http://a/x(", 10_000),
        cost.growing("<http://a\r\n", 5_000),
        cost.growing(".", 200_000, before="http://a"),
        cost.growing(">\r\nwrote:\r\n", 600),
        cost.growing("On x\r\n", 5_000, after="wrote:"),
        cost.growing("([{", 60_000, before="http://a"),
    ],
    ids=str,
)
def test_hostile_text_is_read_in_linear_time(text: cost.Growing[str]) -> None:
    def read(text: str) -> None:
        plain_text.links("", text, True, 5_000)
        plain_text.author(text)

    cost.assert_linear(text, read)


QUOTED = "> their words\r\n> more\r\n"


@pytest.mark.parametrize(
    ("text", "own", "ends_before"),
    [
        ("mine\r\n\r\nOn Mon, Jane Doe wrote:\r\n" + QUOTED, "mine", "On Mon"),
        (
            "mine\r\n\r\nOn Mon, 1 Jan 2026 at 10:00, Jane Doe\r\n<j@example.org> wrote:\r\n"
            + QUOTED,
            "mine",
            "On Mon",
        ),
        ("m\u00edo\r\nEl lun, Ana escribi\u00f3:\r\n" + QUOTED, "m\u00edo", "El lun"),
        (
            "\u6211\u7684\r\n\u5728 2026\u5e74\uff0cWang \u5199\u9053\uff1a\r\n" + QUOTED,
            "\u6211\u7684",
            "\u5728",
        ),
        (
            "t\u00f4i\r\nV\u00e0o Th 2, Lan \u0111\u00e3 vi\u1ebft:\r\n" + QUOTED,
            "t\u00f4i",
            "V\u00e0o",
        ),
        ("akin\r\nNoong Lun, isinulat ni Ana:\r\n" + QUOTED, "akin", "Noong"),
        (
            "\u0644\u064a\n\u0641\u064a \u0627\u0644\u0627\u062b\u0646\u064a\u0646 \u0643\u062a\u0628 \u0639\u0644\u064a:\n"
            + QUOTED,
            "\u0644\u064a",
            "\u0641\u064a",
        ),
        ("mine\r\n-----Original Message-----\r\nFrom: x\r\n", "mine", "-----"),
        (
            "mine\r\n________________________________\r\nFrom: A\r\nSent: B\r\nTo: C\r\nSubject: D\r\n\r\nx",
            "mine",
            "____",
        ),
        ("m\u00edo\r\nDe: A\r\nEnviado el: B\r\nPara: C\r\nAsunto: D\r\nx", "m\u00edo", "De:"),
        ("*mine*\r\n*From:* A\r\n*Date:* B\r\n*To:* C\r\nx", "*mine*", "*From"),
        ("mine\r\n---------- Forwarded message ---------\r\nFrom: A\r\n", "mine", "-----"),
        ("mine\r\nBegin forwarded message:\r\n\r\nFrom: A\r\n", "mine", "Begin"),
        ("mine\r\nOn Mon, Jane Doe wrote:\r\n\r\nunmarked quote", "mine", "On Mon"),
    ],
)
def test_where_the_author_ends(text: str, own: str, ends_before: str) -> None:
    end, visible, insert = plain_text.author(text)
    assert visible == own
    assert text[end:].startswith(ends_before)
    assert own in text[:insert]
    assert insert <= end


@pytest.mark.parametrize(
    "text",
    ["", "only mine", "only mine\r\n", "From: here to there\r\nit is far", "I wrote:\r\na list"],
)
def test_nothing_is_quoted(text: str) -> None:
    end, visible, insert = plain_text.author(text)
    assert end == len(text)
    assert insert == len(text)
    assert visible.split() == text.split()


def test_written_below_or_between() -> None:
    text = "On Mon, Jane wrote:\r\n> one\r\nfirst\r\n> two\r\nsecond\r\n\r\n"
    end, visible, insert = plain_text.author(text)
    assert visible == "first\nsecond"
    assert text[:insert].endswith("second\r\n")
    assert end == insert


def test_a_forward_without_a_word() -> None:
    text = "> one\r\n> two\r\n"
    assert plain_text.author(text) == (0, "", 0)
