"""Counts the records that need attention, and keeps the first of them as text."""

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
    first_record_texts: list[str] = field(default_factory=list)


def count_records(records: object, *, show: int, source: str) -> RecordCount:
    """Count the records of a queryset, an iterable, or a number. Keeps ``show`` records as text, and no others."""
    if isinstance(records, Manager):
        records = records.all()
    if isinstance(records, QuerySet):
        return RecordCount(records.count(), [_as_text(record) for record in records[:show]] if show else [])
    if isinstance(records, int) and records >= 0:
        return RecordCount(int(records))
    if isinstance(records, Iterable) and not isinstance(records, str | bytes):
        return _count_iterable(records, show)
    message = _("%(source)s returned %(result)s. It must return a queryset, a number (0 or more), or an iterable.")
    raise MonitorError(message % {"source": source, "result": repr(records)[:80]})


def _count_iterable(records: Iterable[Any], show: int) -> RecordCount:
    count, shown = 0, []
    for count, record in enumerate(records, 1):
        if count <= show:
            shown.append(_as_text(record))
    return RecordCount(count, shown)


def _as_text(record: object) -> str:
    if isinstance(record, Model):
        return f"{record._meta.verbose_name} {record.pk}: {record}"
    return str(record)
