"""More jobs, as in a shop: groups, queues, dependencies, a schedule error, a blackout. Real runs of simulated work.

After ten minutes each page of the console has something to show: failures in a row, retries, waiting and queued jobs,
skipped times, progress, mails that cannot be sent, a monitor, a disabled job.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

import chroniker
from chroniker.models import Blackout, Calendar, CatchUp, Group, Job, JobDependency, Tag

#: Name to limit.
GROUPS = {
    "Imports": 2, "Billing": 1, "Search": None, "Mail": None, "Warehouse": 2, "Nightly reports": 2, "Monitors": None,
    "Maintenance": 1,
}  # fmt: skip
HEAVY, GPU = "heavy", "gpu"
#: Tags of the jobs of a group.
TAGS = {"Imports": ("etl",), "Warehouse": ("etl", "nightly"), "Nightly reports": ("nightly",), "Billing": ("audited",)}
CALENDAR = "Deployments"


@dataclass(frozen=True)
class ShopJob:
    """A job of the shop. ``after``: names of jobs that must have succeeded, ``when_ended``: that must have ended."""

    name: str
    group: str
    cron: str
    command: str
    args: str = ""
    queue: str = ""
    after: tuple[str, ...] = ()
    when_ended: tuple[str, ...] = ()
    more: tuple[tuple[str, Any], ...] = ()


def _more(**fields: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(fields.items())


SHOP_JOBS = (
    ShopJob("Import exchange rates", "Imports", "*/5 * * * *", "import_data", "rates --seconds 4"),
    ShopJob("Import supplier orders", "Imports", "*/2 * * * *", "import_data", "orders --seconds 6 --fail 1"),
    ShopJob("Import stock levels", "Imports", "*/4 * * * *", "import_data", "stock --seconds 14"),
    ShopJob(
        "Import prices", "Imports", "*/5 * * * *", "import_data", "prices --seconds 12",
        after=("Import exchange rates",),
    ),
    ShopJob(
        "Fetch reviews", "Imports", "*/3 * * * *", "run_celery_task",
        """samples.tasks.fetch_reviews --args '["web shop"]' --kwargs '{"pages": 4}'""",
        more=_more(max_retries=2, retry_backoff_seconds=20),
    ),
    ShopJob(
        "Import bank statements", "Imports", "*/3 * * * *", "import_data", "statements --seconds 3 --fail 1",
        more=_more(hold_on_failure=True),
    ),
    ShopJob("Synchronise images", "Imports", "*/6 * * * *", "import_data", "images --seconds 35 --parts 120", HEAVY),
    ShopJob(
        "Rebuild the search index", "Search", "*/3 * * * *", "build_index", "products --seconds 140 --parts 91", HEAVY,
        when_ended=("Import the catalogue",), more=_more(alert_run_seconds=90, alert_start_seconds=60),
    ),
    ShopJob(
        "Warm the page cache", "Search", "* * * * *", "build_index", "pages --seconds 5",
        when_ended=("Rebuild the search index",),
    ),
    ShopJob("Update synonyms", "Search", "*/10 * * * *", "build_index", "synonyms --seconds 3"),
    ShopJob(
        "Count page views", "Search", "0 * * * *", "write_report",
        """'page views until {{ scheduled_for|date:"D H:i" }}' --seconds 25""",
    ),
    ShopJob("Train recommendations", "Search", "*/5 * * * *", "build_index", "model --seconds 60", GPU),
    ShopJob(
        "Refresh dashboards", "Warehouse", "*/4 * * * *", "write_report", "dashboards --seconds 20",
        when_ended=("Import the catalogue",),
    ),
    ShopJob("Clean the warehouse", "Warehouse", "*/5 * * * *", "maintain", "warehouse --seconds 8"),
    ShopJob(
        "Load the warehouse", "Warehouse", "*/5 * * * *", "import_data", "facts --seconds 25 --parts 60", HEAVY,
        after=("Clean the warehouse",),
    ),
    ShopJob("Archive orders", "Warehouse", "0 1 * * *", "maintain", "orders", more=_more(timezone="Mars/Olympus")),
    ShopJob(
        "Report sales", "Nightly reports", "*/5 * * * *", "write_report", "sales --seconds 10",
        after=("Load the warehouse",),
    ),
    ShopJob(
        "Report margins", "Nightly reports", "*/5 * * * *", "write_report", "margins --seconds 9",
        after=("Load the warehouse",),
    ),
    ShopJob(
        "Report each five minutes", "Nightly reports", "*/5 * * * *", "write_report",
        """'sales until {{ covered_until|date:"H:i" }}' --seconds 12""",
        more=_more(catch_up=CatchUp.EACH, misfire_grace_seconds=86_400),
    ),
    ShopJob(
        "Report to the board", "Nightly reports", "0 4 * * 1", "write_report", "board --seconds 9",
        after=("Report sales", "Report margins"),
    ),
    ShopJob(
        "Settle card payments", "Billing", "*/4 * * * *", "call_bank", "cards --seconds 3 --fail 0.5",
        more=_more(max_retries=3, retry_backoff_seconds=15),
    ),
    ShopJob("Charge open invoices", "Billing", "*/5 * * * *", "call_bank", "invoices --seconds 20"),
    ShopJob("Close the books", "Billing", "30 23 L * *", "write_report", "ledger --seconds 30"),
    ShopJob("Send order mails", "Mail", "* * * * *", "send_mails", "orders --seconds 2 --parts 5"),
    ShopJob("Send the newsletter", "Mail", "35 9 * * 2", "send_mails", "letters", more=_more(enabled=False)),
    ShopJob("Check the web shop", "Monitors", "* * * * *", "print_time", more=_more(is_monitor=True)),
    ShopJob(
        "Are there unpaid sales", "Monitors", "*/3 * * * *", "check_monitor",
        "--model samples.Sale --filter amount__gt=95",
        more=_more(is_monitor=True, monitor_url="/admin/", monitor_description="Sales that nobody has paid."),
    ),
    ShopJob("Rotate logs", "Maintenance", "*/10 * * * *", "maintain", "logs --seconds 3"),
    ShopJob("Back up the database", "Maintenance", "30 0 * * *", "maintain", "backup --seconds 30"),
    ShopJob("Vacuum tables", "Maintenance", "30 2 * * 0", "maintain", "tables --seconds 20"),
)  # fmt: skip
#: The sample job in the middle of the imports: its group, and the jobs whose end it waits for.
CATALOGUE = "Import the catalogue"
BEFORE_CATALOGUE = ("Import prices", "Import supplier orders", "Import stock levels")
#: Its scheduled times in the blackout of the demo are skipped.
WITH_CALENDAR = "Check the web shop"
#: A backfill of its last two days is in progress.
WITH_BACKFILL = "Count page views"
#: A backfill of its last hour fails, which raises an alert.
WITH_FAILED_BACKFILL = "Rotate logs"
#: Fields that the form would refuse; a file of an old time zone database may hold them.
UNCHECKED = "Archive orders"


def create(now: dt.datetime | None = None) -> list[str]:
    """Create what is missing. Returns the names of new jobs. Jobs that exist are not changed."""
    groups = {
        name: Group.objects.get_or_create(name=name, defaults={"limit": limit})[0] for name, limit in GROUPS.items()
    }
    calendar = _calendar(now or timezone.now())
    new = [shop_job for shop_job in SHOP_JOBS if not Job.objects.filter(name=shop_job.name).exists()]
    for shop_job in new:
        _create(shop_job, groups[shop_job.group], calendar if shop_job.name == WITH_CALENDAR else None)
    for shop_job in new:
        _link(shop_job.name, shop_job.after, shop_job.when_ended)
    if new:
        Job.objects.filter(name=CATALOGUE).update(group=groups["Imports"])
        _link(CATALOGUE, (), BEFORE_CATALOGUE)
    names = [shop_job.name for shop_job in new]
    if WITH_BACKFILL in names:
        _backfill(WITH_BACKFILL, dt.timedelta(days=2), note="The counter was installed today.")
    if WITH_FAILED_BACKFILL in names:
        _backfill(WITH_FAILED_BACKFILL, dt.timedelta(hours=1), args="old --seconds 2 --fail 1", on_failure="STOP")
    return names


def _backfill(name: str, age: dt.timedelta, **options: str) -> None:
    """The job is new, so no run of this time is stored."""
    last = timezone.now() - dt.timedelta(minutes=1)
    job = Job.objects.get(name=name)
    chroniker.backfill(job, last - age, last, "seed", include_unknown=True, **options)


def subscribe(username: str) -> None:
    """Mails about failed runs go to this user. The demo has no mail server, so they wait and are shown as late."""
    user = get_user_model().objects.get(username=username)
    for job in Job.objects.filter(name="Import supplier orders", subscribers=None):
        job.subscribers.add(user)


def _calendar(now: dt.datetime) -> Calendar:
    """A calendar with a blackout of three minutes, which begins soon."""
    calendar, is_new = Calendar.objects.get_or_create(name=CALENDAR)
    if is_new:
        starts = now + dt.timedelta(minutes=3)
        Blackout.objects.create(
            calendar=calendar, name="Release 24.11", starts_at=starts, ends_at=starts + dt.timedelta(minutes=3)
        )
    return calendar


def _create(shop_job: ShopJob, group: Group, calendar: Calendar | None) -> None:
    fields = {**dict(shop_job.more)}
    job = Job(
        name=shop_job.name, command=shop_job.command, args=shop_job.args, cron=shop_job.cron, queue=shop_job.queue
    )
    job.group, job.calendar = group, calendar
    unchecked = {"timezone": fields.pop("timezone")} if shop_job.name == UNCHECKED else {}
    for name, value in fields.items():
        setattr(job, name, value)
    job.full_clean()
    job.save()
    job.tags.set(Tag.objects.get_or_create_tags(TAGS.get(shop_job.group, ())))
    if unchecked:
        Job.objects.filter(pk=job.pk).update(**unchecked)


def _link(name: str, after: tuple[str, ...], when_ended: tuple[str, ...]) -> None:
    job = Job.objects.filter(name=name).first()
    for dependee in Job.objects.filter(name__in=[*after, *when_ended]):
        flags = {"wait_for_success": dependee.name in after, "wait_for_next_run": False}
        JobDependency.objects.get_or_create(dependent=job, dependee=dependee, defaults=flags)
