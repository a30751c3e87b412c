"""The window of what each sender sent: bounded, and only of what was let through."""

from __future__ import annotations

from mailguard.pipeline import send_window
from mailguard.pipeline.send_window import LONGEST, Mailings

PRINT = frozenset({"s1"})


def units(*names: str) -> dict[str, str]:
    return {f"{name}@example.org": name for name in names}


def reached(made: Mailings, sender: str = "a", now: float = 0.0, seconds: float = 60.0) -> set[str]:
    return {unit for sent in made.recent(sender, now, seconds) for unit in sent.units.values()}


def test_a_message_in_several_transactions_is_one() -> None:
    made = Mailings()
    made.count("a", "t1", "m", PRINT, units("x"), 0.0)
    made.count("a", "t2", "m", PRINT, units("y", "x"), 1.0)
    assert len(made.recent("a", 1.0, 60.0)) == 1
    assert reached(made, now=1.0) == {"x", "y"}
    made.settle("t2", ())  # what was there before is not taken back
    assert reached(made, now=1.0) == {"x"}


def test_what_is_not_let_through_is_taken_back() -> None:
    made = Mailings()
    made.count("a", "t1", "m", PRINT, units("x", "y"), 0.0)
    made.settle("t1", ["y@example.org"])
    assert reached(made) == {"y"}
    made.settle("t1", ())  # once
    assert reached(made) == {"y"}
    made.settle("never counted", ())
    made.count("a", "t2", "n", PRINT, units("z"), 0.0)
    made.settle("t2", ())
    assert [sent.units for sent in made.recent("a", 0.0, 60.0)] == [units("y")]


def test_the_window_ends() -> None:
    made = Mailings()
    made.count("a", "t1", "m", PRINT, units("x"), 0.0)
    made.count("a", "t2", "n", PRINT, units("y"), 50.0)
    assert reached(made, now=59.9) == {"x", "y"}
    assert reached(made, now=60.0) == {"y"}
    assert reached(made, "b", 50.0) == set()
    made.count("a", "t3", "o", PRINT, units("z"), LONGEST + 1.0)
    assert reached(made, now=LONGEST + 1.0, seconds=2 * LONGEST) == {"y", "z"}


def test_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(send_window, "_SENDERS", 50)
    monkeypatch.setattr(send_window, "_OF_ONE", 20)
    monkeypatch.setattr(send_window, "_ALTOGETHER", 300)
    monkeypatch.setattr(send_window, "_UNDER_WAY", 10)
    made = Mailings()
    for n in range(2_000):
        recipients = units(*(f"r{n}-{k}" for k in range(n % 7)))
        made.count(f"sender{n % 120}", f"t{n}", n, PRINT, recipients, float(n))
        if n % 3:
            made.settle(f"t{n}", list(recipients)[:1])
    kept = {name: sum(len(s.units) for s in w.values()) for name, w in made._senders.items()}
    assert len(kept) <= 50 and sum(kept.values()) <= 300 and max(kept.values()) <= 27
    assert made._total == sum(kept.values())
    assert {n: s for n, s in made._sizes.items() if s} == {n: s for n, s in kept.items() if s}
    assert len(made._under_way) <= 10
