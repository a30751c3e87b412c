"""What all pages have in common: one skeleton, one way of words into HTML, one set of headers."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import jinja2
import pytest
from tests.support.web import DISTRICT

from mailguard.frontends.web import pages

ROOT = Path(__file__).parents[4]
TEMPLATES = sorted((ROOT / "src/mailguard/frontends/web/templates").iterdir())
STRICT = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_derives_from_the_skeleton_and_escapes_everything(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert (template.name == "page.html") != text.startswith('{% extends "page.html" %}\n')
    assert not re.search(r"\|\s*safe\b|autoescape|Markup|~", text)
    # "exact" goes round what makes text harmless to look at: to the copied address and its pieces.
    exact = {"{{ piece|exact }}", "{{ target|exact }}"} if template.name == "copy.html" else set()
    assert set(re.findall(r"\{\{[^}]*exact[^ly][^}]*\}\}", text)) == exact
    assert " style=" not in text and "onclick" not in text and "://" not in text


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_is_part_of_the_package(template: Path) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        globs = tomllib.load(file)["tool"]["setuptools"]["package-data"]["mailguard"]
    package = ROOT / "src" / "mailguard"
    assert any(template in package.glob(pattern) for pattern in globs)


def test_what_is_asked_for_and_not_given_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        pages.rendered("copy-unknown.html")
    with pytest.raises(jinja2.UndefinedError):
        pages.rendered("answer.html", district=DISTRICT, title="Now")


def test_words_are_harmless_in_text_and_in_attributes() -> None:
    hostile = "\"'><script>\u202e\u200d</script>{{ 7 * 7 }}"
    made = "&quot;&#x27;&gt;&lt;script&gt;\ufffd\ufffd&lt;/script&gt;{{ 7 * 7 }}"
    page = pages.rendered(
        "answer.html",
        district=DISTRICT,
        title=hostile,
        outcome=hostile,
        question=None,
        paragraphs=(hostile,),
        choices=(),
        longest_remark=1,
    )
    assert f"<title>{made} – Example &lt;Valley&gt; District</title>" in page
    assert f"<h1>{made}</h1>" in page
    assert f'<p class="outcome">{made}</p>' in page
    assert f"\n<p>{made}</p>" in page
    assert "<script" not in page


def test_a_page_allows_nothing_that_it_does_not_need() -> None:
    bare = pages.headers()
    assert dict(bare) == STRICT | {
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
    }
    more = pages.headers(referrer="same-origin", form=True, script=True)
    assert dict(more) == STRICT | {
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        "Referrer-Policy": "same-origin",
    }


def test_rendering_reads_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    pages.static_files("/x", ("copy-page.css",), pages.headers())  # as at the start
    for name in ("open", "read_text", "read_bytes", "iterdir"):
        monkeypatch.setattr(Path, name, _no_disk)
    monkeypatch.setattr("builtins.open", _no_disk)
    assert "Example &lt;Valley&gt;" in pages.rendered("copy-unknown.html", district=DISTRICT)


def _no_disk(*_: object, **__: object) -> None:
    raise AssertionError("a file was read")
