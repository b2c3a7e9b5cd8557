"""Error messages for unknown time zones, each with a name that exists."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from functools import lru_cache

from django.utils.translation import gettext as _

from chroniker.escaping import shortened

#: Names that ZoneInfo accepts but that mean something else on each host.
HOST_DEPENDENT_ZONE_NAMES = frozenset({"localtime", "posixrules", "Factory"})
EXAMPLE_ZONE = "Europe/Paris"

#: Abbreviations are ambiguous (IST, CST), change with the season and are mostly unknown to ZoneInfo.
ZONE_ABBREVIATIONS = {
    "Europe/Paris": "cest",
    "Europe/Berlin": "mez mesz",
    "Europe/London": "bst",
    "Europe/Athens": "eest",
    "Europe/Moscow": "msk msd",
    "America/New_York": "et edt",
    "America/Chicago": "ct cst cdt",
    "America/Denver": "mt mdt",
    "America/Los_Angeles": "pt pst pdt",
    "America/Anchorage": "akst akdt",
    "America/Halifax": "ast adt",
    "America/Sao_Paulo": "brt brst",
    "Africa/Johannesburg": "sast",
    "Africa/Lagos": "wat",
    "Africa/Nairobi": "eat",
    "Asia/Kolkata": "ist",
    "Asia/Karachi": "pkt",
    "Asia/Dubai": "gst",
    "Asia/Singapore": "sgt",
    "Asia/Hong_Kong": "hkt",
    "Asia/Seoul": "kst",
    "Asia/Tokyo": "jst",
    "Australia/Perth": "awst",
    "Australia/Adelaide": "acst acdt",
    "Australia/Sydney": "aest aedt",
    "Pacific/Auckland": "nzst nzdt",
}
#: Large cities that have no zone of their own.
CITIES_BY_ZONE = {
    "Europe/Berlin": "munich muenchen frankfurt hamburg cologne bonn",
    "Europe/Zurich": "geneva basel bern",
    "Europe/Rome": "milan naples turin florence",
    "Europe/Madrid": "barcelona seville valencia",
    "Europe/Paris": "lyon marseille",
    "Europe/London": "manchester edinburgh birmingham",
    "Europe/Amsterdam": "rotterdam the_hague",
    "Europe/Warsaw": "krakow gdansk",
    "Europe/Moscow": "st_petersburg saint_petersburg",
    "Europe/Istanbul": "ankara izmir",
    "America/New_York": "washington boston miami atlanta philadelphia",
    "America/Chicago": "dallas houston austin minneapolis",
    "America/Los_Angeles": "san_francisco seattle san_diego las_vegas",
    "America/Toronto": "ottawa montreal",
    "America/Edmonton": "calgary",
    "America/Sao_Paulo": "rio_de_janeiro rio brasilia",
    "Asia/Kolkata": "mumbai delhi new_delhi bangalore bengaluru chennai hyderabad",
    "Asia/Shanghai": "beijing shenzhen guangzhou",
    "Asia/Tokyo": "osaka kyoto",
    "Asia/Dubai": "abu_dhabi",
    "Asia/Karachi": "islamabad lahore",
    "Asia/Jerusalem": "haifa",
    "Asia/Ho_Chi_Minh": "hanoi",
    "Australia/Sydney": "canberra",
    "Pacific/Auckland": "wellington",
}
FIXED_OFFSET_PATTERN = re.compile(r"(?:utc|gmt|z)?\s*([+-])\s*(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE | re.ASCII)


def unknown_zone_message(name: object) -> str:
    """Return a message that says why this name is not usable as a time zone, with an example of a usable name."""
    text = str(name)[:64].strip()
    quoted = {"name": shortened(str(name))}
    if text in HOST_DEPENDENT_ZONE_NAMES:
        return _(
            "“%(name)s” can mean a different time zone on each host; write the region, for example “%(example)s”."
        ) % {
            **quoted,
            "example": EXAMPLE_ZONE,
        }
    if match := FIXED_OFFSET_PATTERN.fullmatch(text):
        return _fixed_offset_message(quoted["name"], match)
    if example := _zone_of_word(text.lower(), ZONE_ABBREVIATIONS):
        return _("“%(name)s” is an abbreviation, not a time zone; write the region, for example “%(example)s”.") % {
            **quoted,
            "example": example,
        }
    return _("There is no time zone “%(name)s”; write it like “%(example)s”.") % {
        **quoted,
        "example": _nearest_zone(text),
    }


def _fixed_offset_message(name: str, match: re.Match[str]) -> str:
    sign, hours, minutes = match[1], int(match[2]), match[3] or "00"
    if minutes != "00" or not -12 <= int(f"{sign}{hours}") <= 14:
        return _("“%(name)s” is an offset, not a time zone; write the region, for example “%(example)s”.") % {
            "name": name,
            "example": EXAMPLE_ZONE,
        }
    inverse = "-" if sign == "+" else "+"
    return _(
        "“%(name)s” is an offset, not a time zone; write the region, for example “%(example)s”, or “%(fixed)s” for "
        "this offset all year (the sign in this name is reversed)."
    ) % {"name": name, "example": EXAMPLE_ZONE, "fixed": f"Etc/GMT{inverse}{hours}"}


def is_known_zone(name: str) -> bool:
    return name.lower() in _known_zones()


def _nearest_zone(text: str) -> str:
    known = _known_zones()
    if text.lower() in known:
        return known[text.lower()]
    city = re.sub(r"[\s-]+", "_", text.rpartition("/")[2].lower())
    by_city = {lower.rpartition("/")[2]: name for lower, name in known.items() if "/" in lower}
    if found := _zone_of_word(city, CITIES_BY_ZONE) or by_city.get(city):
        return found
    near = difflib.get_close_matches(text.lower(), known, n=1)
    return known[near[0]] if near else EXAMPLE_ZONE


def _zone_of_word(word: str, table: dict[str, str]) -> str | None:
    return next((name for name, words in table.items() if word in words.split()), None) if word else None


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """All names in order. The first call reads the directories of the time zone database."""
    return tuple(sorted(zoneinfo.available_timezones()))


@lru_cache(maxsize=1)
def _known_zones() -> dict[str, str]:
    """Names by their lower-case form."""
    return {name.lower(): name for name in reversed(zone_names())}
