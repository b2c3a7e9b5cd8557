from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker.clock.database_clock import database_now
from chroniker.models import Outbox, Status
from tests.support.admin_pages import rows
from tests.support.ended_runs import a_job_with_subscribers, a_subscriber, ended

LIST = "/admin/chroniker/outbox/"
HOOKS = [{"URL": "https://hooks.example.com/services/s3cret-path", "SECRET": "s3cret-key"}]


@pytest.fixture
def messages() -> dict[str, Outbox]:
    """One message in each state."""
    users = [a_subscriber(name) for name in ("waiting", "failing", "over", "sent")]
    ended(a_job_with_subscribers(*users, name="nightly"), Status.FAILED)
    found = {message.payload["to"]: message for message in Outbox.objects.all()}
    Outbox.objects.filter(pk=found["failing"].pk).update(error="no answer", attempts=3)
    Outbox.objects.filter(pk=found["over"].pk).update(error="gone", attempts=22, send_at=None)
    Outbox.objects.filter(pk=found["sent"].pk).update(sent_at=database_now(), send_at=None)
    return found


def send_again(client: Client, *chosen: Outbox) -> Any:
    data = {"action": "send_again", "_selected_action": [message.pk for message in chosen]}
    return client.post(LIST, data, follow=True)


@pytest.mark.parametrize(
    ("state", "names"),
    [
        ("", {"waiting", "failing", "over", "sent"}),
        ("waiting", {"waiting", "failing"}),
        ("failing", {"failing"}),
        ("given-up", {"over"}),
        ("sent", {"sent"}),
    ],
)
def test_the_list_shows_the_state_of_each_message(
    admin: Client, messages: dict[str, Outbox], state: str, names: set[str]
) -> None:
    found = rows(admin, f"{LIST}?state={state}" if state else LIST)
    assert {message.payload["to"] for message in found} == names


def test_the_list_shows_errors_and_links_to_the_run(admin: Client, messages: dict[str, Outbox]) -> None:
    page = admin.get(LIST).content.decode()
    assert "mail to failing" in page and "no answer" in page and "given up" in page
    assert "</span>–</div>" in page and ">-<" not in page  # noqa: RUF001  a dash, as on the other pages
    run = messages["sent"].run
    assert run is not None
    assert reverse("admin:chroniker_run_change", args=[run.pk]) in page and "nightly #1" in page


def test_the_list_needs_the_same_statements_for_one_row_as_for_many(admin: Client) -> None:
    costs = []
    for count in (1, 20):
        ended(a_job_with_subscribers(*[a_subscriber(f"u{count}-{n}") for n in range(count)]), Status.FAILED)
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(LIST).status_code == 200
        costs.append(len(queries))
    assert costs[0] == costs[1]


@pytest.mark.parametrize(("term", "count"), [("night", 4), ("hourly", 0)])
def test_messages_are_found_by_job(admin: Client, messages: dict[str, Outbox], term: str, count: int) -> None:
    assert len(rows(admin, f"{LIST}?q={term}")) == count


def test_messages_are_found_by_run_as_its_page_links_to_them(admin: Client, messages: dict[str, Outbox]) -> None:
    run = messages["sent"].run
    assert run is not None
    page = admin.get(reverse("admin:chroniker_run_change", args=[run.pk])).content.decode()
    assert f"{LIST}?q={run.pk}" in page
    assert len(rows(admin, f"{LIST}?q={run.pk}")) == 4


def test_send_again_sends_the_messages_and_is_logged(admin: Client, messages: dict[str, Outbox]) -> None:
    page = send_again(admin, messages["over"], messages["sent"])
    assert "2 messages will be sent at the next tick." in page.content.decode()
    for name in ("over", "sent"):
        message = Outbox.objects.get(pk=messages[name].pk)
        assert (message.sent_at, message.attempts) == (None, 0)
        assert message.send_at and message.send_at <= database_now()
    assert LogEntry.objects.count() == 2
    assert {entry.get_change_message() for entry in LogEntry.objects.all()} == {"Sending again was requested."}
    title = "Message about run 1 of “nightly”"
    assert {entry.object_repr for entry in LogEntry.objects.all()} == {title}
    shown = admin.get(reverse("admin:chroniker_outbox_change", args=[messages["over"].pk])).content.decode()
    assert f"<title>{title} |" in shown


def test_send_again_needs_more_than_the_right_to_view(
    staff: Callable[..., Client], messages: dict[str, Outbox]
) -> None:
    client = staff("view_outbox")
    assert client.get(LIST).status_code == 200
    send_again(client, messages["over"])
    assert Outbox.objects.get(pk=messages["over"].pk).send_at is None and not LogEntry.objects.exists()


def test_send_again_needs_the_right_to_change_messages(
    staff: Callable[..., Client], messages: dict[str, Outbox]
) -> None:
    send_again(staff("change_outbox"), messages["over"])
    assert Outbox.objects.get(pk=messages["over"].pk).send_at


def test_without_permission_there_is_no_list(staff: Callable[..., Client]) -> None:
    assert staff("view_run").get(LIST).status_code == 403


def test_messages_cannot_be_edited_added_or_deleted(admin: Client, messages: dict[str, Outbox]) -> None:
    address = reverse("admin:chroniker_outbox_change", args=[messages["over"].pk])
    page = admin.get(address)
    assert page.status_code == 200 and 'name="_save"' not in page.content.decode()
    assert admin.post(address, {"error": ""}).status_code == 403
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.post(reverse("admin:chroniker_outbox_delete", args=[messages["over"].pk])).status_code == 403


def test_a_webhook_s_path_and_secret_are_not_shown(admin: Client) -> None:
    with override_settings(CHRONIKER_WEBHOOKS=HOOKS):
        ended(a_job_with_subscribers(), Status.FAILED)
    page = admin.get(LIST).content.decode()
    assert "webhook:hooks.example.com" in page and "s3cret" not in page
