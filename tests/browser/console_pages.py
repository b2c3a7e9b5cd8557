"""The pages of the console, each with an address for the data of ``tests.support.shop``."""

from __future__ import annotations

from collections.abc import Callable

from django.urls import NoReverseMatch, reverse

from chroniker.models import Calendar, Channel, Group, Job, Run, Status

#: By name: the view, and its arguments.
PAGES: dict[str, tuple[str, Callable[[], list[object]]]] = {
    "now": ("chroniker_job_now", list),
    "jobs": ("chroniker_job_changelist", list),
    "job status": ("chroniker_job_status", lambda: [_job()]),
    "job schedule": ("chroniker_job_schedule", lambda: [_job()]),
    "job runs": ("chroniker_job_runs", lambda: [_job()]),
    "job edit": ("chroniker_job_change", lambda: [_job()]),
    "job add": ("chroniker_job_add", list),
    "backfill": ("chroniker_job_backfill", lambda: [_job()]),
    "run with": ("chroniker_job_run_with", lambda: [_job()]),
    "pause": ("chroniker_job_pause", list),
    "runs": ("chroniker_run_changelist", list),
    "run failed": ("chroniker_run_change", lambda: [_run(Status.FAILED)]),
    "run running": ("chroniker_run_change", lambda: [_run(Status.RUNNING)]),
    "run queued": ("chroniker_run_change", lambda: [_run(Status.CLAIMED)]),
    "timeline": ("chroniker_job_timeline", list),
    "graph": ("chroniker_job_graph", list),
    "fleet": ("chroniker_host_changelist", list),
    "reliability": ("chroniker_run_reliability", list),
    "messages": ("chroniker_outbox_changelist", list),
    "monitors": ("chroniker_monitor_changelist", list),
    "groups": ("chroniker_group_changelist", list),
    "group": ("chroniker_group_change", lambda: [Group.objects.get(name="Imports").pk]),
    "channels": ("chroniker_channel_changelist", list),
    "channel": ("chroniker_channel_change", lambda: [Channel.objects.get().pk]),
    "calendars": ("chroniker_calendar_changelist", list),
    "calendar": ("chroniker_calendar_change", lambda: [Calendar.objects.get().pk]),
}


def _job() -> int:
    return Job.objects.get(name="Import supplier orders").pk


def _run(status: Status) -> object:
    runs = Run.objects.filter(status=status, job__queue__in=["", "heavy", "gpu"]).order_by("job__name", "-token")
    return runs.values_list("pk", flat=True)[0]


def addresses() -> dict[str, str]:
    """All pages that exist, by name."""
    found = {}
    for name, (view, arguments) in PAGES.items():
        try:
            found[name] = reverse(f"admin:{view}", args=arguments())
        except NoReverseMatch:
            continue
    return found
