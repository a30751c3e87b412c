"""The composition root: ports meet adapters here, and signals, listeners and tasks start and end.

Owns the order in which things start and stop. Must not know policy or mail.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from mailguard import metrics
from mailguard.adapters import authentication, blobs, ids, ledger, outbox_store, passwords, relay
from mailguard.adapters.database import Database
from mailguard.adapters.learned import LearnedWords
from mailguard.adapters.reader import PooledReader
from mailguard.adapters.unblocked import UnblockedList
from mailguard.config.load import Loaded
from mailguard.config.watch import Live
from mailguard.core import mime
from mailguard.core.reply import Reply
from mailguard.core.transaction import Envelope, Listener, Transaction
from mailguard.frontends.http import HttpServer, application
from mailguard.frontends.smtp.gateway import LoginTrouble
from mailguard.frontends.smtp.server import Servers
from mailguard.pipeline.accept import accept
from mailguard.pipeline.outbox import Outbox
from mailguard.pipeline.ports import World

log = structlog.get_logger("mailguard.app")

_PARSE_ASIDE = 1_048_576  # octets from which a message is parsed in a thread
