"""How many records need attention, and the first of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Manager, Model, QuerySet
from django.utils.translation import gettext as _

from chroniker.exceptions import MonitorError


@dataclass(frozen=True, slots=True)
class RecordCount:
    count: int
    shown: list[str] = field(default_factory=list)  #: the first of them, in words


def count_records(answer: object, *, most: int, asked: str) -> RecordCount:
    """Of a queryset, a number, or anything that can be gone through. Shows ``most``; never keeps more in memory."""
    if isinstance(answer, Manager):
        answer = answer.all()
    if isinstance(answer, QuerySet):
        return RecordCount(answer.count(), [_words(record) for record in answer[:most]] if most else [])
    if isinstance(answer, int) and answer >= 0:
        return RecordCount(int(answer))
    if isinstance(answer, Iterable) and not isinstance(answer, str | bytes):
        return _counted(answer, most)
    wrong = _("%(asked)s gave %(answer)s: it must give a queryset, a number (0 or more), or an iterable of records.")
    raise MonitorError(wrong % {"asked": asked, "answer": repr(answer)[:80]})


def _counted(records: Iterable[Any], most: int) -> RecordCount:
    count, shown = 0, []
    for count, record in enumerate(records, 1):
        if count <= most:
            shown.append(_words(record))
    return RecordCount(count, shown)


def _words(record: object) -> str:
    if isinstance(record, Model):
        return f"{record._meta.verbose_name} {record.pk}: {record}"
    return str(record)
