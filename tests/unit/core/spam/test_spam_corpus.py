"""The scorer on a public corpus, where MAILGUARD_SPAM_CORPUS names a directory that has it.

`python bench/scorer.py` fetches it. The half that weights were not chosen on is judged.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.support.spam_corpus import VARIABLE, Mail, archive, guess, mails

from mailguard.core.mail import mime
from mailguard.core.mail.message import Message
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.district import District
from mailguard.core.spam import bayes, content, tokens
from mailguard.core.spam.features import Hit, bayes_hit, total, weigh
from mailguard.core.spam.headers import header_hits
from mailguard.core.spam.phrases import phrase_hits
from mailguard.core.text import reader
from mailguard.core.text.reading import Reading

BLOCK = 6.0
DISTRICT = District(
    name="Example Valley Unified School District",
    short_name="EVUSD",
    domains=("example.org",),
    spammail="spammail@example.org",
    postmaster="postmaster@example.org",
    authserv_id="mx.example.org",
)


@pytest.fixture(scope="module")
def corpus() -> Sequence[Mail]:
    package = archive()
    if package is None:
        pytest.skip(f"the corpus is not here; python bench/scorer.py fetches it, see {VARIABLE}")
    return list(mails(package))


def hits(mail: Mail, message: Message, reading: Reading) -> list[Hit]:
    seen = guess(mail.raw)
    envelope = Envelope(
        seen.reverse_path, ("ada@example.org",), seen.client_address, "", seen.helo, None
    )
    listener = Listener("mx", Role.MX)
    transaction = Transaction("01TEST", seen.received_at, listener, envelope, message)
    shown = content.shown(message, reading)
    return [
        *header_hits(transaction),
        *content.content_hits(message, reading, shown),
        *content.link_hits(reading, DISTRICT),
        *phrase_hits(shown.folded),
    ]


def test_recall_and_false_positives_before_and_after_learning(corpus: Sequence[Mail]) -> None:
    counts: dict[str, list[int]] = {}
    examples = [0, 0]
    judged: list[tuple[Mail, list[Hit], tuple[str, ...]]] = []
    for mail in corpus:
        message = mime.parse(mail.raw)
        reading = reader.read(message)
        words = tokens.words(message, reading)
        if mail.teaches:
            examples[mail.spam] += 1
            for word in words:
                counts.setdefault(word, [0, 0])[mail.spam] += 1
        else:
            judged.append((mail, hits(mail, message, reading), words))
    blocked = {(spam, taught): 0 for spam in (False, True) for taught in (False, True)}
    for mail, seen, words in judged:
        blocked[mail.spam, False] += total(weigh(seen)) >= BLOCK
        known = [(w, counts[w][1], counts[w][0]) for w in words if w in counts]
        opinion = bayes.opinion(known, examples[True], examples[False])
        assert opinion is not None
        learned = bayes_hit(opinion.probability)
        blocked[mail.spam, True] += total(weigh(seen + [learned] * (learned is not None))) >= BLOCK
    spam = sum(mail.spam for mail, *_ in judged)
    ham = len(judged) - spam
    assert blocked[False, False] <= 0.003 * ham
    assert blocked[False, True] <= 0.003 * ham
    assert blocked[True, False] >= 0.42 * spam
    assert blocked[True, True] >= 0.75 * spam
