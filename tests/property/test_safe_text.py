"""What each place is promised of hostile text, whatever the text is."""

from __future__ import annotations

import csv
import html.parser
import io
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailguard.core.mail import encoded_words, safe_text

# Beside any character: those that end lines, turn, hide, open markup, formulas and encoded words.
HOSTILE = (
    "\0\a\b\t\n\v\f\r\x1b\x1c\x1d\x1e\x7f\x85\x9b\xa0\xad\u034f\u061c\u115f\u180e\u200b\u200c\u200d"
    "\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066\u2069\u206a\u3164\ufe0f\ufeff\ufff9\ufffb"
    "\ud800\udc80\udfff\ue000\uffff\U000e0001\U000e0041\U000f0000\U0010ffff"
    "<>&\"'=+-@|%＝＠\\/:.?_[]{}👩中ع aé…"
)
TEXTS = st.text(
    st.one_of(
        st.sampled_from(HOSTILE), st.characters(), st.characters(categories=["Cs", "Cf", "Co"])
    ),
    max_size=120,
)
BOUNDS = st.integers(1, 40)
BREAKS = "\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"

Place = Callable[[str, int], str]
# Every place that is given a bound, by its name.
BOUNDED: dict[str, Place] = {
    "line": safe_text.line,
    "terminal": safe_text.terminal,
    "header": safe_text.header,
    "display_name": safe_text.display_name,
    "csv_cell": safe_text.csv_cell,
    "log_value": safe_text.log_value,
    "evidence": safe_text.evidence,
    "ascii_line": safe_text.ascii_line,
}
UNMARKED = ("evidence", "ascii_line")  # cut without "…"
PLAIN_LINES = ("line", "header", "display_name", "csv_cell")
PRINTABLE = ("terminal", "log_value", "evidence", "ascii_line")
thorough = settings(max_examples=300, deadline=None)


@pytest.mark.parametrize("place", BOUNDED)
@thorough
@given(text=TEXTS, most=BOUNDS)
def test_a_place_has_one_line_within_its_bound_and_says_so(
    place: str, text: str, most: int
) -> None:
    made, whole = BOUNDED[place](text, most), BOUNDED[place](text, 10_000)
    assert len(made) <= most
    assert len(made.splitlines()) <= 1 and not set(made) & set(BREAKS)
    assert BOUNDED[place](made, most) == made
    assert BOUNDED[place](whole, 10_000) == whole
    if made != whole and place not in UNMARKED:
        assert made.endswith("…")
    if len(whole) <= most and len(text) <= 4 * most:
        assert made == whole


@pytest.mark.parametrize("place", PLAIN_LINES)
@thorough
@given(text=TEXTS)
def test_nothing_controls_or_turns_or_hides_on_a_plain_line(place: str, text: str) -> None:
    made = BOUNDED[place](text, 10_000)
    assert made == made.strip()
    for c in made:
        category = unicodedata.category(c)
        assert category not in ("Cc", "Co", "Cs", "Zl", "Zp")
        assert (
            category != "Cf"
            or c in "\u200c\u200d\u06dd\u070f\u08e2\U000110bd\U000110cd"
            or ("\u0600" <= c <= "\u0605" or "\u0890" <= c <= "\u0891")
        )
    assert not set(made) & set(TURNING)
    made.encode("utf-8")  # no half character


@pytest.mark.parametrize("place", PRINTABLE)
@thorough
@given(text=TEXTS)
def test_all_that_a_terminal_is_given_is_printable(place: str, text: str) -> None:
    made = BOUNDED[place](text, 10_000)
    assert made.isprintable()
    assert not set(made) & set("\x1b\x9b\u202e\u2066\u200d")
    if place == "ascii_line":
        assert made.isascii()


@thorough
@given(text=TEXTS)
def test_what_shows_nothing_amiss_stays(text: str) -> None:
    good = "".join(c for c in text if c.isprintable() and c not in '=+-@|%＝＋－＠"\\').strip()
    for place, make in BOUNDED.items():
        if place != "ascii_line":
            assert make(good, 10_000) == good
    assert safe_text.replaced(good) == good


@thorough
@given(text=TEXTS, rows=st.integers(1, 6), most=st.integers(4, 60))
def test_lines_are_lines(text: str, rows: int, most: int) -> None:
    made = safe_text.lines(text, rows, most)
    found = made.splitlines()
    cut = found[-1:] == ["…"]
    shown = found[:-1] if cut else found
    assert len(shown) <= rows and len("\n".join(shown)) <= most
    assert all(row and row == safe_text.line(row) for row in found)
    assert safe_text.lines(made, rows, most) == made


@thorough
@given(text=TEXTS)
def test_a_header_value_is_not_decoded_once_more(text: str) -> None:
    made = safe_text.header(f"=?utf-8?b?4oCu?={text}=?utf-8?q?=E2=80=AE?=")
    assert "=?" not in made
    assert encoded_words.decode(made.encode()) == " ".join(made.split("\t"))
    assert not set(safe_text.display_name(text)) & set('"\\')


class Markup(html.parser.HTMLParser):
    """What a reader makes of a page: its text, and whether there was anything else."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.other = "", 0

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.other += 1

    handle_endtag = handle_comment = handle_decl = handle_pi = unknown_decl = (  # type: ignore
        lambda self, _: setattr(self, "other", self.other + 1)
    )


@thorough
@given(text=TEXTS, running=st.booleans())
def test_html_is_text_and_no_markup(text: str, running: bool) -> None:
    made = safe_text.html(text, running=running)
    assert not set(made) & set("<>\"'")
    reader = Markup()
    reader.feed(made)
    reader.close()
    assert reader.other == 0
    assert reader.text == safe_text.replaced(text, running=running)
    kept = "\n\t\u00ad\u200c\u200d" if running else "\n"
    for before, after in zip(text, reader.text, strict=True):
        unseen = unicodedata.category(before) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
        assert after == ("\ufffd" if unseen and before not in kept else before)


@thorough
@given(text=TEXTS)
def test_a_cell_is_no_formula_whatever_reads_it(text: str) -> None:
    made = safe_text.csv_cell(text)
    assert not made.lstrip("\u200c\u200d ").startswith(tuple("=+-@|%\t\r\n＝＋－＠"))
    out = io.StringIO()
    csv.writer(out).writerow([made, "next"])
    assert out.getvalue().count("\n") == 1
    assert next(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [made, "next"]


@thorough
@given(text=TEXTS)
def test_the_pieces_are_the_text_and_each_that_hides_has_its_name(text: str) -> None:
    pieces = list(safe_text.named(text))
    assert "".join(piece for piece, _ in pieces) == text
    for piece, name in pieces:
        assert piece
        if name:
            assert safe_text.hides(piece) and name == f"U+{ord(piece):04X}"
        else:
            assert not any(map(safe_text.hides, piece))


@thorough
@given(value=st.one_of(TEXTS, st.booleans(), st.integers(), st.none()), most=BOUNDS)
def test_a_quoted_value_is_printable_and_bounded(value: object, most: int) -> None:
    made = safe_text.quoted(value, most)
    assert made.isprintable() and made[0] == made[-1] == "'"
    assert len(made) <= 10 * most + 3  # a character is spelt out by ten


@thorough
@given(text=st.text(st.one_of(st.sampled_from("htps:/.wE@ x()<>\"'"), st.characters())))
def test_nothing_is_left_to_make_a_link_of(text: str) -> None:
    made = safe_text.unlinked(f"https://evil.test/a {text} www.evil.test")
    assert "://" not in made.replace("[://]", "")
    assert "evil.test" not in made
    assert safe_text.unlinked(made) == made


@thorough
@given(name=st.text(max_size=300))
def test_a_files_name_is_one_line_with_its_end(name: str) -> None:
    made = safe_text.file_name(name)
    assert len(made) <= 80 * len("[U+202E]")
    assert len(made.splitlines()) <= 1
    assert not set(made) & set("\x1b\u202a\u202e\u2066\u2069")
    if name and name[-1].isalnum():
        assert made[-1] == name[-1]


@given(text=TEXTS)
def test_a_line_of_a_reply_is_printable(text: str) -> None:
    made = safe_text.reply_line(text)
    assert made.isprintable() and len(made) == len(text)
