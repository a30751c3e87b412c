"""The site that a browser opens. tests/browser holds it against a real one."""

from __future__ import annotations

import pytest
from tests.support import cost

from mailguard.core.links.url_host import site_of


@pytest.mark.parametrize(
    ("target", "opened"),
    [
        ("https://News.Example.Test:443/a", "news.example.test"),
        ("https://evil%2Etest/", "evil.test"),
        ("https://%E2%98%83.test/", "xn--n3h.test"),
        ("https://\uff25vil\uff0etest/", "evil.test"),
        ("https://evil.te\u00adst/", "evil.test"),
        ("https://fa\u00df.test/", "xn--fa-hia.test"),
        ("http://0x7f.1/", "127.0.0.1"),
        ("http://2130706433/", "127.0.0.1"),
        ("http://0177.0.0.01/", "127.0.0.1"),
        ("http://1.2.3.4.5/", ""),
        ("http://256.0.0.1/", ""),
        ("http://4294967296/", ""),
        ("http://09.1/", ""),
        ("http://x.1/", ""),
        ("http://a%2fb.example.org/", ""),
        ("http://a%00.test/", ""),
        ("http://%ff.test/", ""),
        ("http://a.test:65536/", ""),
        ("http://[::1]:80/", "[::1]"),
        ("http://[::1/", ""),
        ("http://[evil.test]/", ""),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_what_is_opened(target: str, opened: str) -> None:
    assert site_of(target).opened == opened


def test_the_name_is_cut_out_as_written() -> None:
    target = "https://u:p@x@WWW.Evil.test.:08080/path@y"
    site = site_of(target)
    assert target[site.start : site.end] == site.written == "WWW.Evil.test."
    assert site.opened == "www.evil.test"
    assert site.user == "u:p@x"


@pytest.mark.parametrize("size", [2_000, 8_000])
@pytest.mark.parametrize("piece", ["a.", "%41", "@", ":", "\u00fc", "0x", "xn--", ":0", "["])
def test_long_names_cost_little(piece: str, size: int) -> None:
    target = cost.Growing(lambda size: f"https://{(piece * size)[:size]}/", size)
    cost.assert_linear(target, site_of)
