"""What becomes of hostile text, place by place, as people read it."""

from __future__ import annotations

import time

import pytest

from mailguard.core.mail import safe_text

HOSTILE = "a\x1b[31mb\x9b\u202egpj\r\n<b>\u2028=?utf-8?q?x?= me\u200c\u200dnd\u200b\ue000\ud800"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (safe_text.line(HOSTILE), "a[31mbgpj  <b> =?utf-8?q?x?= me\u200c\u200dnd\ufffd\ufffd"),
        (safe_text.header(HOSTILE), "a[31mbgpj  <b> = ?utf-8?q?x?= me\u200c\u200dnd\ufffd\ufffd"),
        (
            safe_text.terminal(HOSTILE),
            r"a\x1b[31mb\x9b\u202egpj\r\n<b>\u2028=?utf-8?q?x?= me\u200c\u200dnd\u200b\ue000\ud800",
        ),
        (
            safe_text.html(HOSTILE),
            "a\ufffd[31mb\ufffd\ufffdgpj\ufffd\n&lt;b&gt;\ufffd=?utf-8?q?x?= me\ufffd\ufffdnd"
            "\ufffd\ufffd\ufffd",
        ),
        (safe_text.html("\tme\u200cnd\u202e", running=True), "\tme\u200cnd\ufffd"),
        (
            safe_text.evidence(HOSTILE),
            "a\ufffd[31mb\ufffd\ufffdgpj\ufffd\ufffd<b>\ufffd=?utf-8?q?x?= me\ufffd\ufffdnd"
            "\ufffd\ufffd\ufffd",
        ),
        (safe_text.ascii_line("é\r\nx", instead="_"), "___x"),
        (safe_text.reply_line("é\r\nx"), "é  x"),
        (safe_text.display_name('Ann "Boss"\r\nBcc: \\x'), "Ann Boss  Bcc: x"),
        (safe_text.file_name("invoice\u202efdp.exe"), "invoice[U+202E]fdp.exe"),
        (safe_text.file_name("a" * 100 + ".pdf.exe"), f"{'a' * 38}…{'a' * 32}.pdf.exe"),
        (safe_text.quoted(True), "'true'"),
        (safe_text.quoted("x" * 70), f"'{'x' * 60}…'"),
        (
            safe_text.unlinked("see https://evil.test/x?y or evil.test"),
            "see [link to evil[.]test] or evil[.]test",
        ),
    ],
)
def test_each_place(made: str, expected: str) -> None:
    assert made == expected


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", "|cmd", "%x", "\t=1", " =1", "＝1", "\u200d=1", "\ufeff=1"],
)
def test_a_cell_that_would_be_a_formula_begins_with_an_apostrophe(cell: str) -> None:
    assert safe_text.csv_cell(cell).startswith("'")
    assert safe_text.csv_cell("a=1") == "a=1"


def test_what_is_hidden_is_not_read_past_without_end() -> None:
    text = "ok" + "\u202e" * 100 + "far behind"
    assert safe_text.line(text, 10) == "ok…"
    assert safe_text.line(text) == "okfar behind"
    assert safe_text.lines("\n" * 100 + "far behind", 5, 10) == "…"


def test_lines_say_where_something_was_left_out_and_only_there() -> None:
    assert safe_text.lines("a\n\n \n\u202e\nb\n" + "\n" * 30, 2, 20) == "a\nb"
    assert safe_text.lines("a\nb\nc", 2, 20) == "a\nb\n…"
    assert safe_text.lines("a" * 25, 2, 20) == "a" * 20 + "\n…"


@pytest.mark.parametrize("c", list("\u202e\u200d\u00a0\u3164\ufe0f\ue000\uffff\U000e0041"))
def test_a_character_that_hides_is_named(c: str) -> None:
    assert list(safe_text.named(f"a{c}é")) == [("a", ""), (c, f"U+{ord(c):04X}"), ("é", "")]


@pytest.mark.parametrize("hostile", ["\u202e", "\n", "\x1b", "\ud800", "://", "https://a.b", "=?"])
@pytest.mark.parametrize(
    "place",
    [
        safe_text.line,
        safe_text.header,
        safe_text.terminal,
        safe_text.html,
        safe_text.evidence,
        safe_text.csv_cell,
        safe_text.unlinked,
        lambda text: safe_text.lines(text, 10**6, 10**6),
        lambda text: list(safe_text.named(text)),
    ],
    ids=lambda place: place.__name__,
)
def test_the_work_grows_with_the_text_and_no_faster(hostile: str, place: object) -> None:
    def cost(text: str) -> float:
        spent = []
        for _ in range(5):
            began = time.process_time_ns()
            place(text)
            spent.append(time.process_time_ns() - began)
        return min(spent)

    once, eight = cost(hostile * 5_000), cost(hostile * 40_000)
    assert eight < 8 * 3 * max(once, 100_000)  # quadratic would be 64 times the work
