"""The district's own notice texts: `notices/*.txt`, named slots in braces and nothing more.

Owns the list of all that is told, and the check that a text fills only slots its template has;
there is no template language.
Must not know when a notice is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mailguard.casework.workflows import WORKFLOWS
from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.config.form.validate import suggest
from mailguard.config.form.yaml import place_at, read_text
from mailguard.core.mail.safe_text import quoted
from mailguard.core.notices.notice import NOTICE_TEXTS
from mailguard.core.notices.template import together

FOLDER = "notices"
MAX_OCTETS = 65_536
NOTICES = together((NOTICE_TEXTS, *(workflow.texts for workflow in WORKFLOWS)))
"""Every text that people are told: whoever tells something declares its own, and stands here."""
TEMPLATES = NOTICES.templates


def load_notices(directory: Path) -> Mapping[str, str]:
    """Every template's text by name: the file's where there is one, the default otherwise.

    Raises ConfigErrors: a file that is no template's, an unknown slot, a lone brace, no text.
    """
    texts = {name: template.text for name, template in TEMPLATES.items()}
    errors: list[ConfigError] = []
    folder = directory / FOLDER
    for path in sorted(folder.glob("*.txt")) if folder.is_dir() else ():
        if path.name.startswith("."):
            continue
        template = TEMPLATES.get(path.stem)
        if template is None:
            problem = f"{quoted(path.stem)} is no notice{suggest(path.stem, TEMPLATES)}"
            errors.append(ConfigError(str(path), 1, 1, "", problem, ", ".join(TEMPLATES)))
            continue
        try:
            text = read_text(path, MAX_OCTETS)
        except ConfigErrors as wrong:
            errors += wrong.errors
            continue
        wrong_places = check_text(text, template.slots, str(path))
        if not text.strip():
            allowed = "some text, or no file for the default"
            wrong_places.append(ConfigError(str(path), 1, 1, "", "is empty", allowed))
        errors += wrong_places
        texts[path.stem] = text.rstrip("\n")
    if errors:
        raise ConfigErrors(errors)
    return texts


def check_text(text: str, slots: frozenset[str], file: str) -> list[ConfigError]:
    """What is wrong with the braces of a notice text."""
    errors: list[ConfigError] = []
    allowed = ", ".join("{" + slot + "}" for slot in sorted(slots))
    at = 0
    while True:
        opened, closed = text.find("{", at), text.find("}", at)
        if opened < 0 and closed < 0:
            return errors
        if opened < 0 or 0 <= closed < opened:
            errors.append(ConfigError(file, *place_at(text, closed), "", "a lone }", allowed))
            at = closed + 1
            continue
        following = text.find("{", opened + 1)
        if closed < 0 or 0 <= following < closed:
            errors.append(ConfigError(file, *place_at(text, opened), "", "a lone {", allowed))
            at = opened + 1
            continue
        slot = text[opened + 1 : closed]
        if slot not in slots:
            problem = f"{quoted('{' + slot + '}')} is no slot of this notice{suggest(slot, slots)}"
            errors.append(ConfigError(file, *place_at(text, opened), "", problem, allowed))
        at = closed + 1
