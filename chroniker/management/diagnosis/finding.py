"""The results of the checks of ``manage.py doctor``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from django.core.checks import ERROR, CheckMessage

#: Names in one finding, and findings of one kind.
MAX_NAMES_PER_MESSAGE = 10


class FindingLevel(IntEnum):
    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Finding:
    level: FindingLevel
    about: str
    text: str
    advice: str = ""


#: Level, text, advice. The advice is empty where nothing needs to be done.
Findings = Iterator[tuple[FindingLevel, str, str]]


def findings_from_messages(messages: Iterable[CheckMessage], prefix: str = "") -> Findings:
    """System check messages as findings, without those in ``SILENCED_SYSTEM_CHECKS``."""
    for message in messages:
        if not message.is_silenced():
            level = FindingLevel.ERROR if message.level >= ERROR else FindingLevel.WARNING
            yield level, f"{prefix}{message.msg} ({message.id})", message.hint or ""


def join_first_names(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMES_PER_MESSAGE]) + (" and others" if len(names) > MAX_NAMES_PER_MESSAGE else "")
