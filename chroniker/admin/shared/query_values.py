"""Read values from a page's query that every database can compare, even if the address contains nonsense."""

from __future__ import annotations

import datetime as dt

from django.http import QueryDict
from django.utils import timezone

#: A moment in one of these years is a valid date in every time zone.
VALID_YEARS = range(1970, 9000)
#: Longer texts are cut.
MAX_TEXT_LENGTH = 200


def read_query_text(query: QueryDict, parameter: str) -> str:
    """The value of the parameter, cut, without the character that PostgreSQL refuses; empty without the parameter."""
    return query.get(parameter, "")[:MAX_TEXT_LENGTH].replace("\0", "")


def is_time_in_valid_years(moment: dt.datetime) -> bool:
    return timezone.is_aware(moment) and moment.year in VALID_YEARS
