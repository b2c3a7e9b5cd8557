"""The page about the guarantees: its sentence, results and pictures."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.admin.operations.reliability_page import reliability_context
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import EventKind, Guarantee, GuaranteeHour, Outbox, Run, RunHour, RunTotal, Status
from chroniker.reasons import Code, Reason
from chroniker.scheduler import guarantees
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/admin/chroniker/run/reliability/"
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def page(client: Client) -> tuple[str, dict[str, Any]]:
    """The text of the page, and its rows by key."""
    answer: Any = client.get(PAGE)
    assert answer.status_code == 200
    rows = {str(row.key): row for row in answer.context_data["rows"]}
    return re.sub(r"\s+", " ", answer.content.decode()), rows


def a_closed_run() -> Run:
    run = run_now(a_booked_job(name="load"), requested_by="a test")
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED))
    return run


def test_what_is_not_measured_is_unknown(client: Client) -> None:
    text, rows = page(client)
    assert "It is unknown whether all guarantees held." in text
    assert {key: row.result for key, row in rows.items()} == {
        "1": "unknown", "2": "unknown", "3": "unknown", "9": "unknown", "tick": "unknown", "dependencies": "unknown",
        "late_reports": "held", "output": "held", "deliveries": "held", "messages": "held",
    }  # fmt: skip


def test_after_a_test_without_violation_the_guarantees_held(client: Client) -> None:
    guarantees.run_guarantee_tests(database_now())
    text, rows = page(client)
    assert "All measured guarantees have held" in text and "in the last 30 days" not in text.split("</div>")[0]
    assert {rows[key].result for key in ("1", "2", "3", "9")} == {"held"}
    GuaranteeHour.objects.update(hour=database_now() - 5 * HOUR)
    assert page(client)[1]["1"].result == "unknown"


def test_a_violation_is_named_in_the_sentence(client: Client) -> None:
    guarantees.run_guarantee_tests(database_now())
    GuaranteeHour.objects.filter(guarantee=Guarantee.ONE_INSTANCE).update(violations=2)
    text, rows = page(client)
    assert "1 guarantee was broken</strong> in the last 30 days: One instance per job." in text
    assert rows["1"].measured.counts == (2, 2, 2) and rows["1"].result == "broken"


def test_events_are_counted_by_span_and_listed_with_their_runs(client: Client) -> None:
    run = a_closed_run()
    lifecycle.add_run_event(run.pk, EventKind.LATE_REPORT)
    lifecycle.add_run_event(run.pk, EventKind.REFUSED_DELIVERY, "<b>forged</b>")
    lifecycle.add_run_event(run.pk, EventKind.NOTE, reason=Reason.of(Code.OUTPUT_MISSING))
    lifecycle.add_run_event(run.pk, EventKind.NOTE, "not counted")
    run.events.filter(kind=EventKind.LATE_REPORT).update(at=database_now() - 3 * DAY)
    text, rows = page(client)
    counts = {key: rows[key].measured.counts for key in ("late_reports", "deliveries", "output")}
    assert counts == {"late_reports": (0, 1, 1), "deliveries": (1, 1, 1), "output": (1, 1, 1)}
    assert {rows[key].result_text for key in counts} == {"Held, see events"}
    assert (
        "load 1</a>" in text
        and "&lt;b&gt;forged" in text
        and "The end of the output may be missing" in text
        and "not counted" not in text
    )


def test_refused_messages_are_counted(client: Client) -> None:
    run = a_closed_run()
    for _each in range(3):
        lifecycle.add_run_event(run.pk, EventKind.REFUSED_DELIVERY)
    rows = page(client)[1]
    assert rows["deliveries"].measured.counts == (3, 3, 3)
    assert rows["late_reports"].measured.counts == (0, 0, 0)


def test_messages_are_late_ten_minutes_after_the_end_of_their_run(client: Client) -> None:
    run = a_closed_run()
    message = Outbox.objects.create(
        run=run, channel="mail:1", error="smtp.example.org: connection refused", attempts=4, send_at=database_now()
    )
    assert page(client)[1]["messages"].result == "held"
    Run.objects.filter(pk=run.pk).update(finished_at=database_now() - dt.timedelta(minutes=11))
    text, rows = page(client)
    assert rows["messages"].result_text == "Late: 1 message" and "1 message is more than 10 min late." in text
    assert "Attempts so far: 4 of 22; the next one is at" in text and ". smtp.example.org: connection refused" in text
    Outbox.objects.filter(pk=message.pk).update(send_at=None)
    assert "Given up; attempts made: 4." in page(client)[0]


def test_the_pictures_show_the_counts_of_all_runs(client: Client) -> None:
    now = database_now().replace(minute=0, second=0, microsecond=0)
    job = a_booked_job(name="slow one")
    RunTotal.objects.create(start=now, succeeded=90, failed=10, delay_0=90, delay_6=10)
    RunTotal.objects.create(start=now - 3 * DAY, succeeded=100, delay_1=100)
    RunHour.objects.create(job=job, hour=now, late_hour=now, failed=10, delay_6=10)
    RunHour.objects.create(job=a_booked_job(name="punctual"), hour=now, succeeded=90, delay_0=90)
    text, _rows = page(client)
    assert "5.0 % of 200 runs failed" in text and "over 5 min" in text
    assert "&lt; 0.5 s: 90; 0.5–1 s: 0;" in text  # noqa: RUF001
    assert "Jobs with the most late starts:" in text and "slow one</a>" in text and "punctual" not in text


def test_the_page_needs_the_right_to_view_runs(staff: Callable[..., Client]) -> None:
    for rights, status in {("view_job", "view_run"): 200, ("view_run",): 200, ("view_job",): 403, (): 403}.items():
        assert staff(*rights).get(PAGE).status_code == status, rights
    assert Client().get(PAGE).status_code == 302


def test_the_lists_link_to_the_page(client: Client, staff: Callable[..., Client]) -> None:
    for name in ("job", "run", "host"):
        assert PAGE in client.get(f"/admin/chroniker/{name}/").content.decode()
    assert PAGE not in staff("view_job").get("/admin/chroniker/job/").content.decode()


def test_the_page_takes_six_statements_however_many_rows() -> None:
    def statements() -> int:
        now = database_now()
        with CaptureQueriesContext(connection) as queries:
            reliability_context(now)
        return len(queries)

    assert statements() == 6
    guarantees.run_guarantee_tests(database_now())
    for _each in range(5):
        run = a_closed_run()
        Run.objects.filter(pk=run.pk).update(finished_at=database_now() - HOUR)
        Outbox.objects.create(run=run, channel="mail:1", send_at=database_now())
        lifecycle.add_run_event(run.pk, EventKind.LOST)
        run.job.__class__.objects.filter(pk=run.job_id).update(name=str(run.pk))
    assert statements() == 6
