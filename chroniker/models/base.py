"""Base classes of the models: ids, and managers that read from the deciding database."""

from __future__ import annotations

import datetime as dt
import os
import sys
import uuid
from typing import TypeVar

from django.db import models

from chroniker.conf import settings
from chroniker.process.kernel import host_clock

M = TypeVar("M", bound=models.Model)


def uuid7() -> uuid.UUID:
    """RFC 9562, version 7: 48 bits of Unix milliseconds, then random bits. New rows land at the end of the index."""
    millis = int(host_clock.wall() * 1000)
    value = millis << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=value & ~(0b11 << 62) | 0b10 << 62)


def make_random_uuid() -> uuid.UUID:
    """RFC 9562, version 4: 122 random bits. For a nonce, which nobody can guess."""
    return uuid.UUID(bytes=os.urandom(16), version=4)


def time_of_uuid7(value: uuid.UUID) -> dt.datetime:
    """When ``uuid7`` made this value, by the clock of the process that made it."""
    return dt.datetime.fromtimestamp((value.int >> 80) / 1000, dt.UTC)


def installed_version() -> str:
    """The version of chroniker in this process."""
    return str(sys.modules["chroniker"].__version__)  # not imported: it imports modules above this one


class WriteDatabaseManager(models.Manager[M]):
    """Reads from the database that is written to; a router for reads has no effect."""

    def get_queryset(self) -> models.QuerySet[M]:
        return super().get_queryset().using(self._db or settings.database)


class UniqueNameManager(WriteDatabaseManager[M]):
    """For models with a unique name, which is their natural key in ``dumpdata`` and ``loaddata``."""

    def get_by_natural_key(self, name: str) -> M:
        return self.get(name=name)
