"""Each simulated thread has a connection object of its own; code outside of the simulation has one, too."""

from __future__ import annotations

from typing import Any

from django.db import connections

from tests.simulation.world import active, is_inside


class Connections:
    """In the place of the thread-local storage of ``django.db.connections``."""

    def __init__(self) -> None:
        self.__dict__["own"] = {}

    @classmethod
    def install(cls) -> None:
        storage: Any = connections
        storage._connections = cls()

    def __getattr__(self, alias: str) -> Any:
        found = active().thread.database if is_inside() else self.own.get(alias)
        if found is None:
            raise AttributeError(alias)
        return found

    def __setattr__(self, alias: str, value: Any) -> None:
        if is_inside():
            active().thread.database = value
        else:
            self.own[alias] = value
