"""Values of a page's query that a database can compare, whatever is written in the address."""

from __future__ import annotations

import datetime as dt

from django.http import QueryDict
from django.utils import timezone

#: Years that stay dates in every time zone.
YEARS = range(1970, 9000)
#: Longer texts are cut.
LONGEST = 200


def read_text(query: QueryDict, name: str) -> str:
    """The text, cut, and without the character that PostgreSQL refuses; empty without the parameter."""
    return query.get(name, "")[:LONGEST].replace("\0", "")


def is_usable(moment: dt.datetime) -> bool:
    return timezone.is_aware(moment) and moment.year in YEARS
