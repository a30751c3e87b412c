"""Where the author of an HTML body ends, as mail programs mark it (R10, R12)."""
# ruff: noqa: E501 - samples of mail stand on one line each

import pytest
from tests.support import cost

from mailguard.core.text import html, quoted_html

OUTLOOK = (
    "<html><body><div class=WordSection1><p class=MsoNormal>mine</p><p>more</p>|"
    "<div><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in'>"
    "<p class=MsoNormal><b>From:</b> A &lt;a@b.test&gt;<br><b>Sent:</b> Monday<br><b>To:</b> B<br>"
    "<b>Subject:</b> C</p></div></div><p>theirs</p></div></body></html>"
)
BODIES = {
    "Outlook for Windows": OUTLOOK,
    "Outlook, Arabic": OUTLOOK.replace("From:", "\u0645\u0646:")
    .replace("Sent:", "\u062a\u0627\u0631\u064a\u062e \u0627\u0644\u0625\u0631\u0633\u0627\u0644:")
    .replace("To:", "\u0625\u0644\u0649:")
    .replace("Subject:", "\u0627\u0644\u0645\u0648\u0636\u0648\u0639:"),
    "Outlook, a language nobody listed": OUTLOOK.replace("From:", "Qa:")
    .replace("Sent:", "Qb:")
    .replace("To:", "Qc:")
    .replace("Subject:", "Qd:"),
    "Outlook on the web": "<div>mine<br>more</div>|<div id=appendonsend></div><hr>"
    '<div id="divRplyFwdMsg" dir="ltr"><b>From:</b> A</div><div>theirs</div>',
    "Gmail": '<div dir="ltr">mine<br>more</div><br>|<div class="gmail_quote"><div class="gmail_attr">'
    "On Mon, A &lt;a@b.test&gt; wrote:<br></div><blockquote class=gmail_quote>theirs</blockquote></div>",
    "Gmail, forwarded": '<div dir="ltr">mine<br>more</div>|<div class="gmail_quote">---------- Forwarded '
    "message ---------<br>From: A<br>theirs</div>",
    "Apple Mail": '<html><body>mine<div>more</div>|<div><br><blockquote type="cite"><div>On Mon, A '
    "wrote:</div><div>theirs</div></blockquote></div></body></html>",
    "Apple Mail, attribution above": "<body>mine<br>more|<div>On 1 Jan 2026, at 10:00, A wrote:</div><br>"
    "<blockquote type=cite>theirs</blockquote></body>",
    "Thunderbird": '<p>mine</p><p>more</p>|<div class="moz-cite-prefix">Am 1.1. schrieb A:<br></div>'
    '<blockquote type="cite"><p>theirs</p></blockquote>',
    "Yahoo": "<div>mine</div><div>more</div>|<div class='yahoo_quoted'>El lun, A escribi\u00f3: theirs</div>",
    "A phone": "<div>mine<br>more</div>|<div>On Mon, A wrote:</div><div>theirs</div>",
    "Text only": "<p>mine<p>more|<p>-----Original Message-----<p>theirs",
    "In a table": "<p>mine</p>more|<table><tr><td><p>-----Original Message-----</p>theirs</td></tr></table>",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_where_the_quote_begins(body: str) -> None:
    before, _, after = body.partition("|")
    text = before + after
    made = html.walk(text)
    end, own, insert = quoted_html.author(made, made.visible())
    assert own.split() == ["mine", "more"]
    assert end == insert
    assert text[:insert] == before or text[len(before) : insert].strip("<div>br/ ") == ""
    assert "theirs" in text[insert:]


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("<html><body><p>x</p></body></html>", "</body></html>"),
        ("<p>x</p>\r\n", ""),
        ("<html><p>x</p></html>", "</html>"),
        ("<body>x</body><!-- </body> -->", "</body><!-- </body> -->"),
        ("<body>x<p title='</body>'>y", ""),
        ("<p>x</p><!-- never closed </body>", "<!-- never closed </body>"),
        ("<p>x</p><style>never closed </body>", "<style>never closed </body>"),
        ("<p>x</p><a href='never closed </body>", "<a href='never closed </body>"),
        ("x", ""),
        ("", ""),
    ],
)
def test_a_disclaimer_goes_to_the_end_of_the_body(text: str, before: str) -> None:
    made = html.walk(text)
    insert = quoted_html.author(made, made.visible())[2]
    assert text[insert:] == before


def test_written_below_the_quote() -> None:
    text = (
        '<body><div class="moz-cite-prefix">On Mon, A wrote:</div><blockquote type="cite">theirs'
        "</blockquote><p>mine</p></body>"
    )
    made = html.walk(text)
    _, own, insert = quoted_html.author(made, made.visible())
    assert own == "mine"
    assert text[insert:] == "</body>"


def test_a_forward_without_a_word_gets_it_above() -> None:
    text = '<body><div class="gmail_quote">From: A</div></body>'
    made = html.walk(text)
    _, own, insert = quoted_html.author(made, made.visible())
    assert own == ""
    assert text[insert:].startswith('<div class="gmail_quote">')


def test_markers_outside_tags_do_not_count() -> None:
    text = "<p>our class is gmail_quote, type=cite</p><!-- divRplyFwdMsg --><p>mine</p>"
    made = html.walk(text)
    assert "mine" in quoted_html.author(made, made.visible())[1]


@pytest.mark.parametrize(
    "text",
    [
        cost.growing("<div class=gmail_quote>", 1_200),
        cost.growing("<blockquote type=cite></blockquote>x", 800),
        cost.growing("<p>From:</p>", 2_500),
        cost.growing("<p>a wrote:</p>", 1_000),
        cost.Growing(lambda n: "<div>" * 4 * n + "<p>" * n, 1_200, "<div><div>…<p><p>"),
        cost.growing("<table><tr><td>", 2_000),
        cost.growing("<a href=http://a.test>", 2_000),
        cost.growing("<p style='display:none'>", 2_000),
        cost.growing("<!--[if mso]><a href=x>", 4_500),
        cost.growing("<!--[if mso]><a href=http://x.test><![endif]-->", 2_000),
        cost.growing("&amp;", 5_000),
        cost.growing("<", 200_000),
        cost.growing("x=1 ", 50_000, before="<a "),
        cost.growing("<noscript>", 4_000),
        cost.growing("display:none", 16_000),
    ],
    ids=str,
)
def test_hostile_html_is_read_in_linear_time(text: cost.Growing[str]) -> None:
    from mailguard.core.text import hyperlinks

    def read(text: str) -> None:
        made = html.walk(text)
        quoted_html.author(made, made.visible())
        hyperlinks.links("", made, 5_000)

    cost.assert_linear(text, read)
