"""The addresses of the console's pages, each with its filters and orders, for data of ``many_rows``."""

from __future__ import annotations

from django.urls import reverse

from chroniker.insights.job_filters import VALUES_OF_SHOW_FILTER
from chroniker.insights.job_order import JOB_ORDER_NAMES
from chroniker.models import Job, JobState, Run

#: By name: the view, and the query.
LISTS = {
    "now": ("job_now", ""),
    **{f"jobs by {order}": ("job_changelist", f"?o={order}") for order in JOB_ORDER_NAMES},
    **{f"jobs: {show}": ("job_changelist", f"?show={show}") for show in VALUES_OF_SHOW_FILTER},
    "jobs: a text": ("job_changelist", "?q=job+777"),
    "jobs: no match": ("job_changelist", "?q=zzz"),
    "jobs: group": ("job_changelist", "?group=group+3"),
    "jobs: queue": ("job_changelist", "?queue=queue-3"),
    "jobs: command": ("job_changelist", "?command=command_7"),
    "jobs: host": ("job_changelist", "?host=worker-1"),
    "jobs: owner": ("job_changelist", "?owner=team+3"),
    "jobs: executor": ("job_changelist", "?executor=other"),
    "runs": ("run_changelist", ""),
    "runs: failed": ("run_changelist", "?status=FAILED"),
    "runs: host": ("run_changelist", "?host=worker-1"),
    "runs: by hand": ("run_changelist", "?trigger=MANUAL"),
    "runs: a text": ("run_changelist", "?q=job+777"),
    "runs: no match": ("run_changelist", "?q=zzz"),
    "timeline": ("job_timeline", ""),
    "timeline: 7 days": ("job_timeline", "?by=job&span=7d"),
    "timeline: 6 hours": ("job_timeline", "?by=group&span=6h"),
    "graph": ("job_graph", ""),
    "graph: held back": ("job_graph", "?held=1"),
    "fleet": ("host_changelist", ""),
    "reliability": ("run_reliability", ""),
    "messages": ("outbox_changelist", ""),
    "monitors": ("monitor_changelist", ""),
    "groups": ("group_changelist", ""),
    "channels": ("channel_changelist", ""),
    "calendars": ("calendar_changelist", ""),
    "pause": ("job_pause", ""),
    "pulse": ("job_pulse", ""),
    "add job": ("job_add", ""),
}
#: Pages of one job.
OF_A_JOB = ("status", "schedule", "runs", "change", "code", "history", "delete", "run_with")


def addresses() -> dict[str, str]:
    """By name."""
    found = {name: reverse(f"admin:chroniker_{view}") + query for name, (view, query) in LISTS.items()}
    state = JobState.objects.filter(failing_since=None, job__enabled=True).order_by("pk")[50]
    job = Job.objects.get(pk=state.pk)
    found |= {f"job: {name}": reverse(f"admin:chroniker_job_{name}", args=[job.pk]) for name in OF_A_JOB}
    found["graph: a job"] = f"{reverse('admin:chroniker_job_graph')}?job={job.pk}"
    run = Run.objects.filter(job=job).order_by("-token")[0]
    found |= {f"run: {name}": reverse(f"admin:chroniker_run_{name}", args=[run.pk]) for name in ("change", "output")}
    return found
