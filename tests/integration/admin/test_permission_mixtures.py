"""Each page, viewed and saved with mixtures of permissions: no server error, no change by an unchanged form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import pytest
from django.test import Client

from chroniker.models import Blackout, JobDependency
from tests.integration.admin.sample_pages import MODELS, addresses, one_of_each
from tests.support.admin_pages import fields
from tests.support.effort import AT_NIGHT

ACTIONS = ("view", "add", "change", "delete")
#: Models with fewer permissions: alerts are read-only; monitors are jobs, and are edited as jobs.
ACTIONS_OF = {"alert": ("view",), "monitor": ("view",)}
#: The model of the page -> the model of the table within its form.
INLINES = {"job": "jobdependency", "calendar": "blackout"}
OTHERS = ("view_run", "view_group", "view_calendar", "run_job", "stop_job", "pause_jobs")


def mixtures(model: str) -> Iterator[tuple[str, ...]]:
    """By day those with none of the actions, one, all but one, and all."""
    actions = ACTIONS_OF.get(model, ACTIONS)
    some = {0, 1, len(actions) - 1, len(actions)}
    for size in range(len(actions) + 1):
        for chosen in combinations(actions, size) if AT_NIGHT or size in some else ():
            yield tuple(f"{action}_{model}" for action in chosen)


def rights(model: str) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """Each mixture of the model's permissions with every page; other mixtures with the row's page only."""
    for mixture in mixtures(model):
        yield True, mixture
        yield False, tuple({*mixture, *OTHERS})
    for mixture in mixtures(INLINES[model]) if model in INLINES else ():
        yield False, (f"view_{model}", f"change_{model}", *mixture)


def stored(row: Any) -> list[Any]:
    """The row and those that its form can change."""
    inlines = [*JobDependency.objects.order_by("pk").values_list(), *Blackout.objects.order_by("pk").values_list()]
    columns = {field.attname for field in row._meta.concrete_fields} - {"edited_at", "alert_revision"}
    return [type(row).objects.filter(pk=row.pk).values(*sorted(columns)).get(), *inlines]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_no_mixture_of_permissions_is_a_server_error(staff: Callable[..., Client], name: str) -> None:
    row = one_of_each()[name]
    before = stored(row)
    for every_page, mixture in rights(name):
        client = staff(*mixture)
        pages = addresses("admin", name, row)
        for address in pages if every_page else [page for page in pages if page.endswith(f"{row.pk}/change/")]:
            page: Any = client.get(address)
            assert page.status_code in (200, 302, 403), (address, mixture)
            if address.endswith(f"{row.pk}/change/") and page.status_code == 200:
                form = f"{name}_form"
                sent = fields(page, form) if f'id="{form}"' in page.content.decode() else {}
                if name == "job":
                    preview = client.post(address, {**sent, "args": "--other", "_preview": "1"})
                    assert preview.status_code in (200, 403), (address, mixture)
                saved = client.post(address, {**sent, "_continue": "1"})
                assert saved.status_code in (302, 403), (address, mixture, getattr(saved, "context_data", None))
        assert stored(row) == before, mixture
