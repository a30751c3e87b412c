"""The answers' page in a real Chromium: the link of a mail that a real Postfix delivered, opened
by the person it asks, and by others (R18, R30)."""

from __future__ import annotations

import http.server
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.header import Header

import pytest
from tests.browser.asked import (
    CLARA,
    GROUP,
    PARENT,
    PAULA,
    RAFFLE,
    TARA,
    TOMAS,
    Asking,
    Question,
    until,
)
from tests.browser.looks import CONTRAST, OVERFLOW
from tests.browser.webdriver import ENTER, TAB, Browser, WebDriverError
from tests.support.waiting import PATIENCE

from mailguard.core.mail.safe_text import unlinked

pytestmark = pytest.mark.peer

EVIL = "evil.test"  # resolved to loopback: another site than ours
PLAIN_NAME = "answers.example.org"  # the same: http there says nothing of where a POST comes from
LONG = "W" * 150
SUBJECT = f"<script>document.title='owned'</script> \u202egpj.exe {LONG}"
BODY = f"""\
Dear all,</dd></pre><script>document.title='owned'</script>
<img src=x onerror="document.title='owned'"> &lt;b&gt; {{title}} %s
</main><form action="https://evil.test/"><button name="choice" value="yes">Go</button></form>
\u202egpj.exe\u2066\u200b Z{chr(0x0301) * 40}
https://evil.test/{"a" * 300} www.evil.test"""
TEXT = "return document.body.innerText"
PARTICULARS = """
return Object.fromEntries([...document.querySelectorAll("dt")].map(
  dt => [dt.textContent, dt.nextElementSibling.textContent]));
"""
STATUS = "return performance.getEntriesByType('navigation')[0].responseStatus"
BUTTONS = "return [...document.querySelectorAll('button')].map(b => b.textContent)"
ENDED = "No answer is needed any more"


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    with Asking() as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with Browser([EVIL, PLAIN_NAME]) as b:
        yield b


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    chromium.open("about:blank")
    chromium.requested()
    yield chromium
    chromium.scripting(True)
    chromium.prefer("light")
    chromium.size(1280, 900)


@pytest.fixture(scope="module")
def hostile(asking: Asking) -> dict[str, Question]:
    """What is asked about a message that would like to be more than shown. Nobody answers it."""
    return asking.approvers(Header(SUBJECT, "utf-8").encode(linesep="\r\n"), BODY)


def ask(url: str, method: str = "GET", body: bytes | None = None, **fields: str) -> tuple[int, str]:
    """Status and text, as a program gets them."""
    request = urllib.request.Request(url, body, method=method)
    for name, value in fields.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def press(browser: Browser, choice: str) -> str:
    """Press a button; the page that comes then."""
    browser.click(f"button[value={choice}]")
    return after(browser)


def after(browser: Browser) -> str:
    """What is to be read once there is no form any more."""
    ready = "return document.readyState === 'complete' && !document.forms.length"
    until(lambda: _runs(browser, ready))
    return str(browser.run(TEXT))


def _runs(browser: Browser, script: str) -> object:
    """Its value; nothing while one page makes room for the next."""
    try:
        return browser.run(script)
    except WebDriverError:
        return None


def steps(asking: Asking, question: Question) -> list[str]:
    return [line["what"] for line in asking.approval(question)["history"]]


def received(asking: Asking, subject: str) -> int:
    return len(asking.found(GROUP, subject))


def test_what_a_stranger_wrote_is_shown_and_does_nothing(
    browser: Browser, hostile: dict[str, Question]
) -> None:
    link = hostile[PAULA].link
    browser.open(link)
    assert browser.title == "Approve this message? – Example Valley Unified School District"
    shown = browser.run(PARTICULARS)
    assert shown["From"] == f"Clara Rowan <{CLARA}>"
    assert shown["To"] == "All Teachers (5 people)"
    assert shown["Subject"].startswith("<script>document.title='owned'</script>")
    assert shown["Subject"].endswith(LONG)
    lines = browser.run("return document.querySelector('pre').textContent").splitlines()
    assert lines[:2] == [unlinked(line) for line in BODY.splitlines()[:2]]
    assert '<form action="[link to evil[.]' in lines[2]
    assert not re.search("[\u200b\u202a-\u202e\u2066-\u2069]", browser.run(TEXT))
    clipped = (
        "return [...document.querySelectorAll('dd,pre')].map(e => getComputedStyle(e).overflow)"
    )
    assert set(browser.run(clipped)) == {"hidden"}  # piled marks cover nothing else
    count = "return document.querySelectorAll(arguments[0]).length"
    assert browser.run("return document.scripts.length") == 0
    assert browser.run(count, "a,area,iframe,img,base,object,embed,svg,meta[http-equiv]") == 0
    assert browser.run(count, "[style],[onclick],[onerror]") == 0
    assert browser.run("return [...document.forms].map(f => f.action)") == [link]
    assert browser.run(BUTTONS) == ["Approve", "Refuse"]
    base = link.rpartition("/")[0]
    styles = {f"{base}/static/{name}.css" for name in ("copy-page", "answers")}
    assert {link, *styles} == set(browser.requested())


def test_it_says_why_what_follows_until_when_and_who_answers(
    browser: Browser, hostile: dict[str, Question]
) -> None:
    for question, name in ((hostile[PAULA], "Paula Pine"), (hostile[TOMAS], "Tomas Birch")):
        browser.open(question.link)
        text = browser.run(TEXT)
        assert f"You answer as {name}. Nothing happens before you press a button." in text
        assert "Why it waits: Clara Rowan is not a member of All Teachers." in text
        assert "Approve delivers it as it was written. Refuse stops it." in text
        until_when = re.search(r"Without an answer by (.+?) it is not delivered", text)
        assert until_when
        assert until_when[1] in " ".join(question.text.split())


def test_the_policy_stops_what_got_into_the_page(
    browser: Browser, hostile: dict[str, Question]
) -> None:
    browser.open(hostile[PAULA].link)
    browser.run("""
        window.violations = [];
        addEventListener("securitypolicyviolation", e => violations.push(e.effectiveDirective));
        const add = html => document.body.append(
          document.createRange().createContextualFragment(html));
        add("<script>document.title = 'owned'</scr" + "ipt>");
        add("<img src='https://evil.test/x.png' onerror=\\"document.title = 'owned'\\">");
        add("<iframe src='https://evil.test/'></iframe>");
        add("<form id=evil action='https://evil.test/'><input name=a></form>");
        document.getElementById("evil").submit();
        fetch("https://evil.test/").catch(() => 0);
    """)
    broken = set(browser.run("return new Promise(r => setTimeout(() => r(violations), 200))"))
    assert {"script-src-elem", "img-src", "frame-src", "form-action", "connect-src"} <= broken
    assert browser.title.startswith("Approve this message?")
    assert not [url for url in browser.requested() if EVIL in url]


def test_looking_changes_nothing(
    asking: Asking, browser: Browser, hostile: dict[str, Question]
) -> None:
    question = hostile[PAULA]
    link = question.link
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        ask(f"{link}?choice=yes", method)
    ask(link, "GET", b"choice=yes")
    assert ask(link, Sec_Purpose="prefetch;prerender", Purpose="prefetch")[0] == 200
    assert ask(link, "HEAD") == (200, "")
    pages = {
        "/": f"<link rel=prefetch href='{link}?choice=yes'><link rel=prerender href='{link}'>"
        f"<img src='{link}'><iframe src='{link}'></iframe><script src='{link}'></script>"
        '<script type="speculationrules">{"prerender": [{"urls": ["'
        f'{link}"], "eagerness": "immediate"}}]}}</script>'
    }
    with elsewhere(pages) as place:
        browser.open(place("127.0.0.1"))
        until(lambda: link in browser.requested())
        browser.open(link)
    assert browser.run(BUTTONS) == ["Approve", "Refuse"]
    assert question.number in asking.waiting()
    assert steps(asking, question) == ["opened"]


def test_approve_delivers_the_original_once_and_says_so_ever_after(
    asking: Asking, browser: Browser
) -> None:
    questions = asking.approvers("Lost keys", "They hang in the office.")
    paulas, tomass = questions[PAULA], questions[TOMAS]
    browser.open(tomass.link)  # and leaves it open
    assert received(asking, "Lost keys") == 0
    browser.open(paulas.link)
    said = press(browser, "yes")
    assert browser.run(STATUS) == 200
    assert "Thank you" in said
    assert "It was approved by Paula Pine on " in said
    assert "Lost keys" in said  # what it was about
    (original,) = until(lambda: asking.found(GROUP, "Lost keys"))
    assert original.get_content().startswith("They hang in the office.\n")
    assert original["From"] == f"Clara Rowan <{CLARA}>"

    browser.back()  # fetched anew: nothing to press
    assert ENDED in browser.run(TEXT)
    assert browser.run(BUTTONS) == []
    for question, choice in (
        (paulas, b"choice=yes"),
        (paulas, b"choice=no"),
        (tomass, b"choice=yes"),
    ):
        status, page = ask(question.link, "POST", choice)
        assert status == 409
        assert "approved by Paula Pine" in page
    browser.open(tomass.link)
    said = browser.run(TEXT)
    assert ENDED in said
    assert "It was approved by Paula Pine on " in said
    assert browser.run(BUTTONS) == []
    assert steps(asking, paulas) == ["opened", "granted"]
    assert paulas.number not in asking.waiting()
    assert "approved by Paula Pine" in asking.told(CLARA, "Approved: Lost keys")
    assert "approved by Paula Pine" in asking.told(TOMAS, "Decided: Lost keys")
    assert received(asking, "Lost keys") == 1


def test_a_page_that_was_left_open_says_who_was_quicker(asking: Asking, browser: Browser) -> None:
    questions = asking.approvers("Choir")
    browser.open(questions[TOMAS].link)
    assert ask(questions[PAULA].link, "POST", b"choice=no&remark=Not+now")[0] == 200
    said = press(browser, "yes")
    assert browser.run(STATUS) == 409
    assert ENDED in said
    assert "Paula Pine said no on " in said
    assert browser.run(BUTTONS) == []
    assert steps(asking, questions[PAULA]) == ["opened", "denied"]
    asking.told(CLARA, "Not approved: Choir")
    assert received(asking, "Choir") == 0


def test_pressed_many_times_at_once_it_is_delivered_once(asking: Asking) -> None:
    link = (question := asking.approvers("Field day")[PAULA]).link
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(link, "POST", b"choice=yes"), range(8)))
    assert {status for status, _ in answers} <= {200, 409}
    assert all("approved by Paula Pine" in page for _, page in answers)
    asking.told(CLARA, "Approved: Field day")
    assert steps(asking, question) == ["opened", "granted"]
    assert received(asking, "Field day") == 1


def test_refuse_with_a_remark_reaches_the_sender(asking: Asking, browser: Browser) -> None:
    questions = asking.approvers("Old desks")
    browser.open(questions[TOMAS].link)
    browser.write("#remark", "Please ask <b>me</b> first,\nnot by mail\u202e.")
    assert "Tomas Birch said no on " in press(browser, "no")
    told = asking.told(CLARA, "Not approved: Old desks")
    assert "“Please ask <b>me</b> first, not by mail.”" in " ".join(told.split())
    (mail,) = asking.found(CLARA, "Not approved: Old desks")
    rich = mail.get_body(("html",))
    assert rich is not None
    assert "&lt;b&gt;me&lt;/b&gt;" in rich.get_content()
    assert received(asking, "Old desks") == 0
    browser.open(questions[PAULA].link)
    assert "Tomas Birch said no on " in browser.run(TEXT)


def test_the_first_of_two_hears_who_is_still_asked(asking: Asking, browser: Browser) -> None:
    questions = asking.approvers("[FUNDRAISER] Bake sale")
    browser.open(questions[PAULA].link)
    said = press(browser, "yes")
    assert "Thank you" in said
    assert "It waits for " in said
    browser.open(questions[PAULA].link)
    assert browser.run(BUTTONS) == []
    assert "It waits for " in browser.run(TEXT)
    assert received(asking, "Bake sale") == 0
    browser.open(questions[TOMAS].link)
    assert "It was approved by Paula Pine and Tomas Birch" in press(browser, "yes")
    until(lambda: received(asking, "Bake sale") == 1)


def test_it_works_without_javascript_and_with_the_keyboard_alone(
    asking: Asking, browser: Browser
) -> None:
    question = asking.approvers("Swimming")[PAULA]
    browser.scripting(False)
    browser.open(question.link)
    order = []
    for _ in range(3):
        browser.press(TAB)
        order.append(
            browser.run("const e = document.activeElement; return e.id || e.value || e.tagName")
        )
        outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
    assert order == ["remark", "yes", "no"]
    browser.press(ENTER)
    assert "Paula Pine said no on " in after(browser)
    asking.told(CLARA, "Not approved: Swimming")


def test_assistive_technology_gets_names_and_roles(
    browser: Browser, hostile: dict[str, Question]
) -> None:
    browser.open(hostile[PAULA].link)
    assert browser.run("return document.documentElement.lang") == "en"
    assert browser.computed("main", "computedrole") == "main"
    assert browser.computed("#remark", "computedrole") == "textbox"
    assert browser.computed("#remark", "computedlabel").startswith("A remark, if you like")
    for value, label in (("yes", "Approve"), ("no", "Refuse")):
        assert browser.computed(f"button[value={value}]", "computedrole") == "button"
        assert browser.computed(f"button[value={value}]", "computedlabel") == label
    headings = browser.run("return [...document.querySelectorAll('h1,h2')].map(h => h.tagName)")
    assert headings == ["H1"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_and_the_buttons_are_not_alike(
    asking: Asking, browser: Browser, hostile: dict[str, Question], scheme: str
) -> None:
    browser.prefer(scheme)
    browser.open(hostile[PAULA].link)
    ratios = browser.run(CONTRAST)
    assert {"BUTTON.", "BDI.", "PRE.", "LABEL."} <= {name for name, _ in ratios}
    assert not [pair for pair in ratios if pair[1] < 4.5]
    grounds = browser.run("""
        return [...document.querySelectorAll("button")].map(
          b => getComputedStyle(b).backgroundColor)""")
    assert len(set(grounds)) == 2
    body = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (min(map(int, re.findall(r"\d+", body))) > 200) == (scheme == "light")
    ended = asking.approvers(f"Seen in {scheme}")[PAULA]
    ask(ended.link, "POST", b"choice=no")
    for link in (ended.link, ended.link[:-1] + "?"):
        browser.open(link)
        assert not [pair for pair in browser.run(CONTRAST) if pair[1] < 4.5]


@pytest.mark.parametrize(
    ("width", "scale", "text"),
    [(320, 2, 100), (320, 4, 100), (360, 2, 200)],
    ids=["phone", "zoom 400 %", "phone with text of 200 %"],
)
def test_nothing_is_cut_off_on_a_phone(
    browser: Browser, hostile: dict[str, Question], width: int, scale: int, text: int
) -> None:
    browser.size(width, 640, scale, phone=scale == 2)
    browser.open(hostile[PAULA].link)
    browser.run("document.documentElement.style.fontSize = arguments[0] + '%'", text)
    assert browser.run(OVERFLOW) == [0, []]
    boxes = browser.run("""
        return [...document.querySelectorAll("button")].map(b => {
          const box = b.getBoundingClientRect();
          return [box.width, box.height, box.top, box.bottom];
        })""")
    assert all(wide >= 200 and high >= 44 for wide, high, _, _ in boxes)  # WCAG 2.5.5
    assert boxes[1][2] - boxes[0][3] >= 12  # a thumb's width of doubt
    # Nothing scrolls but the page itself.
    assert (
        browser.run("""
        return [...document.querySelectorAll("main *")].filter(
          e => e.tagName !== "TEXTAREA" && getComputedStyle(e).overflowY === "auto"
        ).map(e => e.tagName)""")
        == []
    )


class _Elsewhere(http.server.BaseHTTPRequestHandler):
    pages: dict[str, str]

    def do_GET(self) -> None:
        page = self.pages.get(urllib.parse.urlsplit(self.path).path, "").encode()
        self.send_response(200 if page else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


class elsewhere:
    """Somebody else's web server on another port of loopback; a context that gives the address of
    its first page under a name."""

    def __init__(self, pages: dict[str, str]) -> None:
        handler = type("_Pages", (_Elsewhere,), {"pages": pages})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> Callable[[str], str]:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return lambda name: f"http://{name}:{self._server.server_port}/"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def form(link: str, target: str = "_self") -> str:
    return (
        f"<form method=post target={target} action='{link}'><input name=choice value=yes></form>"
        "<script>document.forms[0].submit()</script>"
    )


@pytest.mark.parametrize(
    ("name", "ours"),
    [("127.0.0.1", "127.0.0.1"), (EVIL, "127.0.0.1"), (EVIL, PLAIN_NAME)],
    ids=["another port", "another site", "without Sec-Fetch-Site"],
)
def test_another_sites_form_is_refused(
    asking: Asking, browser: Browser, hostile: dict[str, Question], name: str, ours: str
) -> None:
    question = hostile[PAULA]
    link = question.link.replace("127.0.0.1", ours)
    with elsewhere({"/": form(link)}) as place:
        browser.open(place(name))
        until(lambda: browser.url == link)
        after(browser)
        assert browser.run(STATUS) == 403
        assert "it was not taken" in browser.run(TEXT)
    assert steps(asking, question) == ["opened"]


def test_nor_do_frames_and_scripts_of_others_answer(
    asking: Asking, browser: Browser, hostile: dict[str, Question]
) -> None:
    question = hostile[TOMAS]
    link = question.link
    inner = form(link).replace('"', "&quot;")
    pages = {
        "/": f'<iframe sandbox="allow-scripts allow-forms" srcdoc="{inner}"></iframe>'
        f"<script>const post = (mode, headers) => fetch('{link}', {{method: 'POST', mode, headers,"
        " credentials: 'include', body: 'choice=yes'}).then(r => r.type, e => e.name);"
        "const kind = 'application/x-www-form-urlencoded';"
        "window.done = Promise.all([post('no-cors', {'content-type': 'text/plain'}),"
        " post('cors', {'content-type': kind}), post('cors', {'x-own': '1'})]);</script>"
    }
    for name in ("127.0.0.1", EVIL):
        with elsewhere(pages) as place:
            browser.requested()
            browser.open(place(name))
            assert browser.run("return done") == ["opaque", "TypeError", "TypeError"]
            until(lambda: link in browser.requested())
    assert steps(asking, question) == ["opened"]


def test_a_changed_token_leads_nowhere(
    asking: Asking, browser: Browser, hostile: dict[str, Question]
) -> None:
    question = hostile[PAULA]
    base, _, token = question.link.rpartition("/")
    number, place, mac = token.split("-")
    flipped = [chr(ord(c) ^ bit) for c in mac[-1:] for bit in (1, 2, 4, 8, 16)]
    changed = [f"{number}-{place}-{mac[:-1]}{c}" for c in flipped]
    changed += [f"{number}-{place}-{'b' if mac[0] != 'b' else 'c'}{mac[1:]}"]
    changed += [f"{number}-{1 - int(place)}-{mac}", f"{int(number) + 1}-{place}-{mac}"]
    changed += [f"{number}-9-{mac}", f"{'9' * 12}-0-{mac}", f"{number}-{place}-", mac, token[:-1]]
    changed += [f"{token}x", token.upper(), f"-{token}", f"{token}/x", "..%2f"]
    for one in changed:
        one = urllib.parse.quote(one, safe="%/-")
        assert ask(f"{base}/{one}")[0] == 404, one
        assert ask(f"{base}/{one}", "POST", b"choice=yes")[0] in (404, 405), one
    browser.open(f"{base}/{changed[5]}")
    said = browser.run(TEXT)
    assert "There is nothing here" in said
    assert "open its link again" in said
    assert "gpj.exe" not in said
    assert steps(asking, question) == ["opened"]


def test_a_server_that_was_killed_between_mail_and_click(asking: Asking, browser: Browser) -> None:
    question = asking.approvers("Lost gloves")[PAULA]
    browser.open(question.link)
    asking.serve.kill()
    asking.serve.start()
    assert "It was approved by Paula Pine on " in press(browser, "yes")
    until(lambda: received(asking, "Lost gloves") == 1)


def test_the_mail_itself_is_legible_wherever_it_is_opened(
    browser: Browser, hostile: dict[str, Question]
) -> None:
    question = hostile[PAULA]
    browser.size(320, 640, 2, phone=True)
    browser.open("data:text/html;charset=utf-8," + urllib.parse.quote(question.html))
    assert browser.run(OVERFLOW) == [0, []]
    assert browser.title != "owned"
    assert browser.run("return document.querySelectorAll('script,img,form,button').length") == 0
    assert browser.run("return [...document.links].map(a => a.href)") == [question.link]
    browser.run("document.documentElement.style.backgroundColor = '#fff'")
    assert not [pair for pair in browser.run(CONTRAST) if pair[1] < 4.5]
    shown = " ".join(browser.run("return document.body.textContent").split())
    for line in map(unlinked, BODY.splitlines()[:2]):
        assert " ".join(line.split()) in shown
        assert " ".join(line.split()) in " ".join(question.text.split())


def test_reviewers_accept_and_the_recipient_is_asked_and_asks_to_see(
    asking: Asking, browser: Browser
) -> None:
    browser.size(320, 640, 2, phone=True)
    seen = asking.asked_so_far(TARA)
    review = asking.reviewers()
    browser.open(review.link)
    assert browser.run(BUTTONS) == ["Accept the content", "Refuse it"]
    shown = browser.run(PARTICULARS)
    assert (shown["Address"], shown["Subject"]) == (PARENT, RAFFLE)
    text = browser.run(TEXT)
    assert "Blocked for: " in text
    assert "[link to pictures[.]example[.]net]" in text
    assert browser.run(OVERFLOW) == [0, []]
    ask(review.link, "HEAD")
    assert asking.case(review)["state"] == "new"
    assert "Thank you" in press(browser, "yes")

    question = asking.next_question(TARA, seen)
    assert "I wanted to verify that the email address below is a valid sender" in question.text
    browser.open(question.link)
    assert browser.run(BUTTONS) == ["Yes, unblock", "No, discard", "Not sure"]
    assert "Yes unblocks the address for the whole district" in browser.run(TEXT)
    assert "You answer as Tara Olive." in browser.run(TEXT)
    assert browser.run(OVERFLOW) == [0, []]
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        assert not [pair for pair in browser.run(CONTRAST) if pair[1] < 4.5]
    assert asking.case(question)["state"] == "asked"
    assert "Thank you" in press(browser, "unsure")

    again = asking.next_question(TARA, seen + 1)
    assert again.link == question.link
    (original,) = again.mail.iter_attachments()
    assert original.get_content_type() == "message/rfc822"
    assert original.get_content()["From"] == PARENT
    assert asking.found(TARA, RAFFLE)[-1]["From"] != PARENT  # not delivered yet
    browser.open(again.link)
    assert "verified by Tara Olive" in press(browser, "yes")
    until(lambda: [m for m in asking.found(TARA, RAFFLE) if m["From"] == PARENT])
    assert PARENT in asking.unblocked()
    browser.open(question.link)
    assert ENDED in browser.run(TEXT)
    assert browser.run(BUTTONS) == []
    assert ask(question.link, "POST", b"choice=no")[0] == 409
    assert len([m for m in asking.found(TARA, RAFFLE) if m["From"] == PARENT]) == 1


def test_the_recipients_no_unblocks_nobody(asking: Asking, browser: Browser) -> None:
    sender = "olea.reed@example.com"
    seen = asking.asked_so_far(TARA)
    browser.open(asking.reviewers(sender).link)
    press(browser, "yes")
    question = asking.next_question(TARA, seen)
    with elsewhere({"/": form(question.link)}) as place:
        browser.open(place(EVIL))
        until(lambda: browser.url == question.link)
        after(browser)
        assert browser.run(STATUS) == 403
    assert asking.case(question)["state"] == "asked"
    browser.open(question.link)
    said = press(browser, "no")
    assert "Tara Olive said no on " in said
    assert "Nothing was unblocked." in said
    assert asking.case(question)["state"] == "denied"
    assert sender not in asking.unblocked()
    assert not [mail for mail in asking.found(TARA, RAFFLE) if mail["From"] == sender]
