"""Which places of an HTML body are links, and where exactly (R39)."""

import pytest
from tests.support import cost

from mailguard.core.text import html, hyperlinks, reader
from mailguard.core.text.reading import Link


def found(text: str) -> list[Link]:
    return list(hyperlinks.links("1", html.walk(text), 1_000)[0])


@pytest.mark.parametrize(
    ("text", "construct", "written", "target"),
    [
        ('<a href="https://a.test/">x</a>', "a", "https://a.test/", "https://a.test/"),
        ("<A HREF=HTTPS://a.test/x>x</A>", "a", "HTTPS://a.test/x", "HTTPS://a.test/x"),
        ("<a href='ht&#116;ps://a.test'>x</a>", "a", "ht&#116;ps://a.test", "https://a.test"),
        ('<a href=" https://a.t\r\nest/">x', "a", " https://a.t\r\nest/", "https://a.test/"),
        ('<a href="//a.test/">x</a>', "a", "//a.test/", "https://a.test/"),
        ('<a href="\\\\a.test/">x</a>', "a", "\\\\a.test/", "https://a.test/"),
        ('<a href="https:a.test/">x</a>', "a", "https:a.test/", "https://a.test/"),
        ('<a href="www.a.test/b">x</a>', "a", "www.a.test/b", "http://www.a.test/b"),
        ('<a href="java&#9;script:x()">x</a>', "a", "java&#9;script:x()", "javascript:x()"),
        ('<a href="JaVaScRiPt:x()">x</a>', "a", "JaVaScRiPt:x()", "JaVaScRiPt:x()"),
        ('<map><area href="http://a.test">', "area", "http://a.test", "http://a.test"),
        ('<form action="http://a.test">', "form", "http://a.test", "http://a.test"),
        ("<button formaction=http://a.test>", "button", "http://a.test", "http://a.test"),
        ('<svg><a xlink:href="http://a.test">', "svg a", "http://a.test", "http://a.test"),
        ('<v:rect href="http://a.test"/>', "v:rect", "http://a.test", "http://a.test"),
        ('<base href="http://a.test/">', "base", "http://a.test/", "http://a.test/"),
        (
            '<meta http-equiv="ReFresh" content="0; URL=http://a.test/">',
            "meta",
            "0; URL=http://a.test/",
            "http://a.test/",
        ),
        (
            '<!--[if mso]><v:roundrect href="http://a.test"></v:roundrect><![endif]-->',
            "comment v:roundrect",
            "http://a.test",
            "http://a.test",
        ),
        (
            '<noscript><a href="http://a.test">x</a></noscript>',
            "a",
            "http://a.test",
            "http://a.test",
        ),
        ("<svg><style><a href=http://a.test>", "svg a", "http://a.test", "http://a.test"),
        (
            "<p>http://a.test/?b=1&amp;c=2.</p>",
            "text",
            "http://a.test/?b=1&amp;c=2",
            "http://a.test/?b=1&c=2",
        ),
        ("<p>(see www.a.test/x_(y))</p>", "text", "www.a.test/x_(y)", "http://www.a.test/x_(y)"),
        ("<p>http&#58;//a.test</p>", "text", "http&#58;//a.test", "http://a.test"),
    ],
)
def test_a_construct(text: str, construct: str, written: str, target: str) -> None:
    text = f"<p>one\r\ntwo</p>\r\n{text}"
    links = [link for link in found(text) if link.construct == construct]
    assert [(text[x.start : x.end], x.target) for x in links] == [(written, target)]


@pytest.mark.parametrize(
    "text",
    [
        '<a href="mailto:a@b.test">',
        '<a href="tel:+1555">',
        '<a href="cid:x">',
        '<a href="#top">',
        '<a href="">',
        '<a name="x">',
        '<img src="http://a.test/x.png">',
        '<link rel=stylesheet href="http://a.test">',
        "<!-- <a href=http://a.test> -->",
        "<style>a{background:url(http://a.test)}</style>",
        "<script>http://a.test</script>",
        "<p>http:// and www. alone</p>",
    ],
)
def test_not_a_link(text: str) -> None:
    assert found(text) == []


def test_a_base_makes_relative_addresses_and_anchors_links() -> None:
    targets = [
        x.target for x in found('<base href="http://b.test/d/"><a href="x">1</a><a href="#y">2</a>')
    ]
    assert targets == ["http://b.test/d/", "http://b.test/d/x", "http://b.test/d/#y"]


def test_tags_are_found_with_the_text_between() -> None:
    text = 'a\r\nb<a\r\nhref="http://a.test" >one <b>two</b></a>'
    (link,) = found(text)
    assert text[link.outer_start : link.outer_end] == '<a\r\nhref="http://a.test" >'
    assert text[link.close_start : link.close_end] == "</a>"
    assert link.text == "one two"


def test_misnested_links_are_each_found_once() -> None:
    links = found("<a href=http://a.test><p>1<a href=http://b.test>2</a></p>3")
    assert [x.target for x in links] == ["http://a.test", "http://b.test"]


def test_text_in_a_link_is_told_apart() -> None:
    links = found('<a href="http://a.test">http://b.test</a>')
    assert [(x.construct, x.target) for x in links] == [
        ("a", "http://a.test"),
        ("a text", "http://b.test"),
    ]


def test_a_text_node_begins_at_a_tag() -> None:
    assert [x.target for x in found("<b>x</b>www.a.test<i>y")] == ["http://www.a.test"]


def test_no_more_than_asked_for() -> None:
    links, more = hyperlinks.links("1", html.walk("<a href=http://a.test>x</a>" * 20), 5)
    assert len(links) == 5
    assert more
    assert reader.DEFAULT.links > 1_000


def test_what_is_hidden_is_not_visible() -> None:
    text = (
        '<style>x</style><title>t</title><div style="DISPLAY : none">no<p>no</p></div>'
        "<p hidden>no</p><p>yes&nbsp;<b>b</b><!-- no -->\r\nsame</p><ul><li>item</ul>"
    )
    assert html.walk(text).visible() == "yes b same\nitem"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_places_survive_line_ends_and_astral_characters(line_end: str) -> None:
    text = f"<p>\U0001f600{line_end}{line_end}\u00e9</p>{line_end}<p>www.a.test</p>"
    (link,) = found(text)
    assert text[link.start : link.end] == "www.a.test"


def test_many_body_tags_end_the_reading_instead_of_costing_their_square() -> None:
    def bodies(count: int) -> str:
        tags = "".join(f'<body a{n}="x">' for n in range(count))
        return tags + '<a href="http://a.test/">x</a>'

    def read(text: str) -> None:
        found, more = hyperlinks.links("", html.walk(text), 5_000)
        assert more
        assert [link.target for link in found] == ["http://a.test/"]

    cost.assert_linear(cost.Growing(bodies, 2_000), read)


def test_nested_links_that_share_a_long_text_are_bounded() -> None:
    text = "<svg>" + "<a href=http://a.test>" * 2_000 + "text " * 100_000
    _, more = hyperlinks.links("", html.walk(text), 5_000)
    assert more
