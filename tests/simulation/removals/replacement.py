"""A safeguard that is removed."""

from __future__ import annotations

from typing import NamedTuple


class Replacement(NamedTuple):
    file: str
    old: str
    new: str
    scenes: str  #: that find it; empty: none does, see ``NOT_FOUND``
    also: tuple[str, str, str] | None = None  #: a second replacement: the same rule, asked in another statement
    postgres: bool = False  #: they find it on PostgreSQL only
