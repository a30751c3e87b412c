"""The copy page (R39) and the other pages in a real Chromium, from a real serve."""

from __future__ import annotations

import json
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from tests.browser.looks import CONTRAST, OVERFLOW
from tests.browser.webdriver import CONTROL, ENTER, TAB, Browser
from tests.support.ports import free_port
from tests.support.serving import Serve
from tests.support.waiting import PATIENCE, until

from mailguard.config.keys import link_keys
from mailguard.core.links import sealed
from mailguard.core.links.url_host import site_of

pytestmark = pytest.mark.peer

PLAIN = "https://news.evil.test/a?x=1&y=%20&amp;z=é#top"
INSECURE = "links.example.org"  # resolved to loopback: http there is no secure context
HOSTILE = [
    PLAIN,
    "https://evil.test/\"><script>document.title='owned'</script><img/src=x/onerror=alert(1)>",
    "https://javascript:alert(document.domain)@evil.test/?javascript:alert(1)//&#x3c;b&#x3e;",
    "https://evil.test/'onfocus='alert(1)'autofocus='{title}{{7*7}}%s",
    "https://evil.test/\u202egpj.exe\u2066\u200b?\u00a0",
    "https://evil.test/</code></pre></main><form/action=//evil.test><button>Go",
    "http://evil.test\\@www.example.org/",
    "https://evil.test/" + "a/" * 4_000 + "?end=1",
]
# Written so as to be read as another name, or as none.
NAMES = [
    *("News.Evil.TEST", "evil.test.", "u:p@evil.test:8080", "www.example.org@evil.test"),
    *("www.example.org%2eevil.test", "evil%2Etest", "%E2%98%83.test", "a%2fb.example.org"),
    *("\uff25vil\uff0etest", "evil\u3002test", "evil.te\u00adst", "fa\u00df.test", "\u2177.test"),
    *("B\u00dcCHER.test", "xn--bcher-kva.test", "\u0440aypal.test", "\u2603.test", "a_b.test"),
    *("0x7f.1", "2130706433", "0177.0.0.01", "1.2.3", "\u2460\u2461\u2466.0.0.1", "256.1.1.1"),
    *("[::1]", "[::1]:80", "x.1", "a.test:99999", "a.test|b", "a.test\uff0f.example.org"),
    *("a..test", "-a.test", "example.org\u2024evil.test", "\u0130.test", "%ff.test", "a%00.test"),
]

_FIELD = (
    "const field = document.createElement('textarea'); document.body.append(field); field.focus();"
)
VALUE = "return document.getElementById('address').value"
READING = "return document.querySelector('pre').textContent"
STATE = """
return new Promise(resolve => {
  const state = document.getElementById("state"), began = Date.now();
  (function look() {
    if (state.textContent || Date.now() - began > 60000) resolve(state.textContent);
    else setTimeout(look, 20);
  })();
});
"""


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    with Serve(free_port()) as s:
        yield s


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with Browser([INSECURE]) as b:
        yield b


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """As a desk's window, with nothing of the last test in clipboard and log of requests."""
    chromium.open("about:blank")
    chromium.run(_FIELD + "field.value = 'nothing was copied'; field.select()")
    chromium.press(CONTROL, "c")
    chromium.requested()
    yield chromium
    chromium.scripting(True)
    chromium.prefer("light")
    chromium.size(1280, 900)


class Pages:
    """Where the pages of a serve are."""

    def __init__(self, serve: Serve) -> None:
        self.keys = link_keys(serve.state, create=False)
        self.port = serve.ports["http"]

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def of(self, target: str, host: str = "127.0.0.1") -> str:
        return self.url(f"/l/{sealed.seal(target, self.keys)}", host)

    def ask(self, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, fields by lower-case name, and body, as they came."""
        request = urllib.request.Request(self.url(path), method=method)
        opener = urllib.request.build_opener(_NoRedirects)
        try:
            answer = opener.open(request, timeout=PATIENCE)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            fields = {name.lower(): value for name, value in answer.headers.items()}
            return int(answer.status), fields, answer.read()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@pytest.fixture
def pages(serve: Serve) -> Pages:
    return Pages(serve)


def pasted(browser: Browser) -> str:
    """What Control and V put into a field of another page."""
    browser.open("about:blank")
    browser.run(_FIELD)
    browser.press(CONTROL, "v")
    return str(browser.run("return document.querySelector('textarea').value"))


@pytest.mark.parametrize("target", HOSTILE, ids=lambda t: ascii(t[:40]))
def test_the_exact_address_is_shown_and_copied_and_nothing_else_happens(
    browser: Browser, pages: Pages, target: str
) -> None:
    url = pages.of(target)
    browser.open(url)
    assert browser.title.startswith("Copy this address")
    assert browser.run(VALUE) == target
    assert browser.run(READING) == target
    assert browser.run("return document.querySelector('pre strong').textContent") == (
        site_of(target).written
    )
    assert browser.run("return document.querySelector('.host strong').textContent") == "evil.test"
    browser.permit("clipboard-write", "granted")
    browser.click("#copy")
    assert str(browser.run(STATE)).startswith("Copied")
    assert (
        browser.run(
            "return document.querySelectorAll("
            "'a,area,form,iframe,img,base,object,embed,meta[http-equiv],svg,[style],[onclick]').length"
        )
        == 0
    )
    assert browser.run("return document.scripts.length") == 1
    assert browser.url == url
    asked = browser.requested()
    here = pages.url("/l/")
    assert {url, here + "static/copy-page.css", here + "static/copy-page.js"} == set(asked)
    assert pasted(browser).encode() == target.encode()


def test_the_policy_stops_a_script_that_got_into_the_page(browser: Browser, pages: Pages) -> None:
    browser.open(pages.of(PLAIN))
    browser.run("""
        window.violations = [];
        addEventListener("securitypolicyviolation", e => violations.push(e.effectiveDirective));
        const add = html => {
          const made = document.createRange().createContextualFragment(html);
          document.body.append(made);
        };
        add("<script>document.title = 'owned'</scr" + "ipt>");
        add("<script src='https://evil.test/x.js'></scr" + "ipt>");
        add("<img src='https://evil.test/x.png' onerror=\\"document.title = 'owned'\\">");
        add("<iframe src='https://evil.test/'></iframe>");
        add("<form action='https://evil.test/'><input name=a></form>");
        document.querySelector("form").submit();
        fetch("https://evil.test/").catch(() => 0);
    """)
    broken = set(browser.run("return new Promise(r => setTimeout(() => r(violations), 200))"))
    assert {"script-src-elem", "img-src", "frame-src", "form-action", "connect-src"} <= broken
    assert browser.title.startswith("Copy this address")
    assert not [url for url in browser.requested() if "evil.test" in url]


def test_a_refused_clipboard_leaves_the_address_selected(browser: Browser, pages: Pages) -> None:
    browser.open(pages.of(PLAIN))
    browser.run("""
        navigator.clipboard.writeText = () => Promise.reject(new Error());
        document.execCommand = () => false;
    """)
    browser.click("#copy")
    assert "press Ctrl+C" in str(browser.run(STATE))
    browser.press(CONTROL, "c")
    assert pasted(browser) == PLAIN


def test_the_browsers_own_refusal_falls_back(browser: Browser, pages: Pages) -> None:
    browser.open(pages.of(PLAIN))
    browser.permit("clipboard-write", "denied")
    try:
        with_api = "return navigator.clipboard.writeText('x').then(() => 'yes', e => e.name)"
        assert browser.run(with_api) == "NotAllowedError"
        browser.click("#copy")
        assert str(browser.run(STATE))
    finally:
        browser.permit("clipboard-write", "granted")
    assert pasted(browser) == PLAIN


def test_without_tls_there_is_no_clipboard_api_and_it_copies(
    browser: Browser, pages: Pages
) -> None:
    browser.open(pages.of(PLAIN, INSECURE))
    assert browser.run("return [isSecureContext, typeof navigator.clipboard]") == [
        False,
        "undefined",
    ]
    browser.click("#copy")
    assert str(browser.run(STATE)).startswith("Copied")
    assert pasted(browser) == PLAIN


def test_it_works_without_javascript(browser: Browser, pages: Pages) -> None:
    browser.scripting(False)
    browser.open(pages.of(PLAIN))
    assert browser.is_displayed("#address")
    assert browser.is_displayed("pre")
    assert not browser.is_displayed("#copy")
    browser.press(TAB)
    browser.press(CONTROL, "a")
    browser.press(CONTROL, "c")
    browser.scripting(True)
    assert pasted(browser) == PLAIN


def test_it_works_with_the_keyboard_alone(browser: Browser, pages: Pages) -> None:
    browser.open(pages.of(PLAIN))
    focus = "return document.activeElement.id || document.activeElement.tagName"
    order = []
    for _ in range(2):
        browser.press(TAB)
        order.append(browser.run(focus))
    assert order == ["address", "copy"]
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press(ENTER)
    assert str(browser.run(STATE)).startswith("Copied")
    assert pasted(browser) == PLAIN


def test_a_long_address_is_scrolled_with_the_keyboard(browser: Browser, pages: Pages) -> None:
    browser.open(pages.of(HOSTILE[-1]))
    browser.press(TAB)
    assert browser.run("return document.activeElement.tagName") == "PRE"
    assert browser.run("const e = document.activeElement; return e.scrollHeight > e.clientHeight")
    assert browser.run("return document.documentElement.scrollHeight") < 1_400


def test_assistive_technology_gets_names_and_roles(browser: Browser, pages: Pages) -> None:
    browser.open(pages.of(PLAIN))
    assert browser.run("return document.documentElement.lang") == "en"
    assert "Example Valley Unified School District" in browser.title
    assert browser.computed("#address", "computedrole") == "textbox"
    assert browser.computed("#address", "computedlabel") == "The address to copy"
    assert browser.computed("#copy", "computedrole") == "button"
    assert browser.computed("#copy", "computedlabel") == "Copy the address"
    assert browser.computed("#state", "computedrole") == "status"
    assert browser.computed("main", "computedrole") == "main"
    levels = browser.run("return [...document.querySelectorAll('h1,h2,h3')].map(h => h.tagName)")
    assert levels[0] == "H1"
    assert set(levels[1:]) == {"H2"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(browser: Browser, pages: Pages, scheme: str) -> None:
    browser.prefer(scheme)
    grounds = set()
    for target in (PLAIN, "https://www.example.org@\u0440aypal.test/\u202e"):
        browser.open(pages.of(target))
        ratios = browser.run(CONTRAST)
        assert len(ratios) > 12
        assert not [pair for pair in ratios if pair[1] < 4.5]
        grounds.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
    (ground,) = grounds
    assert (min(map(int, re.findall(r"\d+", ground))) > 200) == (scheme == "light")


@pytest.mark.parametrize(
    ("width", "scale", "text"),
    [(360, 2, 100), (320, 4, 100), (640, 2, 100), (360, 2, 200)],
    ids=["phone", "zoom 400 %", "zoom 200 %", "phone with text of 200 %"],
)
def test_nothing_is_cut_off_when_it_is_narrow(
    browser: Browser, pages: Pages, width: int, scale: int, text: int
) -> None:
    browser.size(width, 640, scale, phone=width == 360)
    for target in (HOSTILE[2], HOSTILE[-1], "https://" + "very-long-name." * 15 + "evil.test/"):
        browser.open(pages.of(target))
        browser.run("document.documentElement.style.fontSize = arguments[0] + '%'", text)
        assert browser.run(OVERFLOW) == [0, []], target[:60]
    assert browser.is_displayed("#copy")


def test_the_site_shown_is_the_one_that_chromium_opens(browser: Browser) -> None:
    targets = [f"https://{name}/" for name in NAMES]
    opened = browser.run(
        "return arguments[0].map(t => { try { return new URL(t).hostname } catch { return '' } })",
        targets,
    )
    ours = [site_of(target).opened for target in targets]
    assert ours == [name.removesuffix(".") for name in opened]


def test_both_forms_of_an_international_name_are_shown(browser: Browser, pages: Pages) -> None:
    for target in ("https://\u0440aypal.test/x", "https://xn--aypal-uye.test/x"):
        browser.open(pages.of(target))
        assert browser.run("return document.querySelector('.host').textContent") == (
            "xn--aypal-uye.test"
        )
        warning = browser.run("return document.querySelector('.warning').textContent")
        assert "\u0440aypal.test" in warning
        assert "xn--aypal-uye.test" in warning


def test_a_character_that_turns_text_round_is_shown_by_name(browser: Browser, pages: Pages) -> None:
    browser.open(pages.of("https://evil.test/\u202egpj.exe"))
    shown = browser.run(
        "return getComputedStyle(document.querySelector('.unseen'), '::before').content"
    )
    assert shown == '"U+202E"'
    # What follows it still runs from left to right.
    left, right = browser.run("""
        const after = document.querySelector("pre .unseen").nextSibling;
        const at = i => {
          const range = document.createRange();
          range.setStart(after, i); range.setEnd(after, i + 1);
          return range.getBoundingClientRect().left;
        };
        return [at(0), at(after.data.length - 1)];
    """)
    assert left < right


def test_whose_message_it_was_where_policy_wants_it_told(browser: Browser, pages: Pages) -> None:
    sender = "ann<script>document.title='owned'</script>\u3164@home.test"
    token = sealed.seal(PLAIN, pages.keys, sealed.LinkOrigin(sender, 29_926_666))
    for scripts in (True, False):
        browser.scripting(scripts)
        browser.open(pages.url(f"/l/{token}"))
        shown = browser.run("return document.querySelector('main').innerText")
        assert "that came on Wednesday, 25 November 2026, " in shown
        assert "and says that it is from " in shown
        told = browser.run("return document.querySelector('main > p bdi').textContent")
        assert told == sender
        assert browser.run("return document.title") != "owned"
        assert browser.run("return document.scripts.length") == 1
        assert browser.run(VALUE) == PLAIN
        assert not [pair for pair in browser.run(CONTRAST) if pair[1] < 4.5]
    browser.size(320, 800)
    browser.open(pages.url(f"/l/{token}"))
    assert browser.run("return document.documentElement.scrollWidth") <= 320
    browser.open(pages.of(PLAIN))
    assert "It stood in" not in browser.run("return document.body.innerText")


def test_a_changed_token_is_404_in_plain_words(browser: Browser, pages: Pages) -> None:
    token = sealed.seal(PLAIN, pages.keys)
    for at in (0, 2, 20, len(token) - 2):
        flipped = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert pages.ask("GET", f"/l/{flipped}")[0] == 404
    browser.open(pages.url(f"/l/{flipped}"))
    words = browser.run("return document.body.innerText")
    assert "This link is not valid" in words
    assert "postmaster@example.org" in words
    assert "evil.test" not in words
    assert not [pair for pair in browser.run(CONTRAST) if pair[1] < 4.5]


def test_methods_and_fields(pages: Pages) -> None:
    path = f"/l/{sealed.seal(PLAIN, pages.keys)}"
    status, fields, body = pages.ask("GET", path)
    assert status == 200
    assert fields["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in fields["content-security-policy"]
    assert "unsafe" not in fields["content-security-policy"]
    assert fields["referrer-policy"] == "no-referrer"
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["x-frame-options"] == "DENY"
    assert fields["cache-control"] == "no-store"
    assert not {"location", "refresh", "link", "set-cookie", "server"} & set(fields)
    head, head_fields, nothing = pages.ask("HEAD", path)
    assert (head, nothing) == (200, b"")
    assert int(head_fields["content-length"]) == len(body)
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        status, fields, body = pages.ask(method, path)
        assert status == 405
        assert "location" not in fields
        assert b"evil" not in body


@pytest.mark.parametrize(
    "path", ["/l/", "/l", "/l/{}/", "/l//evil.test", "//evil.test/", "/l/..%2f", "/l/static/x"]
)
def test_nothing_redirects(pages: Pages, path: str) -> None:
    status, fields, _ = pages.ask("GET", path.format(sealed.seal(PLAIN, pages.keys)))
    assert status == 404
    assert "location" not in fields


def test_what_the_page_shows_is_what_link_decode_prints(serve: Serve, pages: Pages) -> None:
    for target in (PLAIN, HOSTILE[4]):
        assert serve.command("link", "decode", pages.of(target)) == f"{target}\n".encode()


def test_a_new_key_signs_and_the_old_one_still_opens(serve: Serve, pages: Pages) -> None:
    old = f"/l/{sealed.seal(PLAIN, pages.keys)}"
    file = serve.state / "link.keys"
    first = bytes(range(32))
    new = f"/l/{sealed.seal(PLAIN, (first,))}"
    assert pages.ask("GET", new)[0] == 404
    file.write_text(f"{first.hex()}\n{file.read_text()}")
    assert serve.process is not None
    serve.process.send_signal(signal.SIGHUP)
    until(lambda: pages.ask("GET", new)[0] == 200)
    assert pages.ask("GET", new)[0] == 200
    assert pages.ask("GET", old)[0] == 200


def test_the_operators_pages_open_in_a_browser(browser: Browser, pages: Pages) -> None:
    text = "return document.body.innerText"
    browser.open(pages.url("/healthz"))
    assert browser.run(text).strip() == "ok"
    browser.open(pages.url("/readyz"))
    assert json.loads(browser.run(text))["ready"] is False  # there is no next hop here
    browser.open(pages.url("/metrics"))
    assert "# TYPE mailguard_" in browser.run(text)
    assert all(url.startswith(pages.url("/")) for url in browser.requested())
