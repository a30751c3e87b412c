"""The `engines` section: what is refused, where, and what silence leads to by default."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mailguard.config.settings.engines import EnginesSettings
from mailguard.core.decision.engines import OnNoAnswer


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"rspamd": {"url": "ftp://x.test"}}, "no address of a web page"),
        ({"rspamd": {"url": "http://127.0.0.1:1", "on_no_answer": "forward"}}, "on_no_answer"),
        ({"spamd": {"address": "nowhere"}}, "address"),
        ({"clamd": {}}, "either address or socket"),
        ({"clamd": {"address": "127.0.0.1:1", "socket": "/x"}}, "either address or socket"),
        ({"dnsbl": [{"zone": "a.test"}, {"zone": "A.test"}]}, "a.test stands here twice"),
        ({"dnsbl": [{"zone": "a.test", "clients": False}]}, "nothing is asked"),
        ({"dnsbl": [{"zone": "a.test", "codes": {"127.0.0": 1}}]}, "no answer of a list"),
        ({"dnsbl": [{"zone": "a.test", "codes": {"127.255.255.254": 1}}]}, "no answer of a list"),
        ({"dnsbl": [{"zone": "a.test", "codes": {"192.0.2.1": 1}}]}, "no answer of a list"),
    ],
)
def test_what_is_refused(section: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        EnginesSettings.model_validate(section)


def test_mail_waits_for_scanners_and_not_for_lists() -> None:
    settings = EnginesSettings.model_validate(
        {
            "rspamd": {"url": "http://127.0.0.1:11333"},
            "spamd": {"address": "127.0.0.1:783"},
            "clamd": {"socket": "/run/clamav/clamd.ctl"},
            "dnsbl": [{"zone": "a.test"}],
        }
    )
    assert settings.rspamd and settings.spamd and settings.clamd
    scanners = (settings.rspamd, settings.spamd, settings.clamd)
    assert {one.on_no_answer for one in scanners} == {OnNoAnswer.DEFER}
    assert settings.dnsbl[0].on_no_answer is OnNoAnswer.IGNORE


def test_none_by_default() -> None:
    assert EnginesSettings() == EnginesSettings(rspamd=None, spamd=None, clamd=None, dnsbl=())
