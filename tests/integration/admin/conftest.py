from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from django.test import Client, override_settings

if TYPE_CHECKING:
    from chroniker.executors.dummy import DummyExecutor


@pytest.fixture(autouse=True)
def dummy(db: None) -> Iterator[DummyExecutor]:
    """The default executor only remembers what it was given."""
    from chroniker.executors import executors
    from chroniker.executors.dummy import DummyExecutor

    backend = {"default": {"BACKEND": "chroniker.executors.dummy.DummyExecutor"}}
    with override_settings(CHRONIKER_EXECUTORS=backend, CHRONIKER_CHECK_LOCK_FILE=False):
        executor = executors["default"]
        assert isinstance(executor, DummyExecutor)
        yield executor
    executors.close()


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """``staff("view_job", "run_job")``: a browser with somebody of the staff who has these permissions only."""

    from django.contrib.auth.models import Permission, User

    def login(*codenames: str, strict: bool = False) -> Client:
        user = User.objects.create_user(f"person {User.objects.count()}", is_staff=True)
        found = Permission.objects.filter(content_type__app_label="chroniker", codename__in=codenames)
        assert len(found) == len(codenames), codenames
        user.user_permissions.set(found)
        client = Client(enforce_csrf_checks=strict)
        client.force_login(user)
        return client

    return login


@pytest.fixture
def admin(db: None) -> Client:
    """A browser with a superuser in it."""
    from django.contrib.auth.models import User

    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client
