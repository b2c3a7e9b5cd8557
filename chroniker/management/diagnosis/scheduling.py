"""Checks of the schedule: pauses, hosts, due jobs, claimed runs, jobs that cannot run, overlapping runs."""

from __future__ import annotations

import datetime as dt

from django.db.models import Exists, Min, OuterRef

from chroniker.checks.jobs import check_jobs
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import draining
from chroniker.eligibility import hosts as host_list
from chroniker.eligibility import pauses as active_pauses
from chroniker.insights import health as figures_of_health
from chroniker.insights import health_facts
from chroniker.insights import reliability as figures
from chroniker.management.console import local_time_text
from chroniker.management.diagnosis.finding import (
    MAX_NAMES_PER_MESSAGE,
    FindingLevel,
    Findings,
    findings_from_messages,
    join_first_names,
)
from chroniker.models import Host, HostService, Job, JobState, Lease, Run, Status, Ticker

#: Hosts that have been silent for longer are not reported.
MAX_REPORTED_HOST_SILENCE = dt.timedelta(days=1)
#: Rows that are counted.
MAX_ROWS_TO_COUNT = 10_000
#: More stored runs of one job are a finding if nothing deletes them.
MANY_STORED_RUNS = 100_000


def diagnose_pauses() -> Findings:
    advice = "Run manage.py resume when the work is done. CHRONIKER_PAUSED in the settings pauses all jobs, too."
    everything = active_pauses.global_pause()
    if everything is not None and everything.is_copy:
        yield (
            FindingLevel.ERROR,
            "Nothing runs here. " + str(everything),
            "See the documentation: How to operate it, copy or restore a database.",
        )
    elif everything:
        yield FindingLevel.WARNING, str(everything), advice
    groups = list(active_pauses.read_group_pauses().values())
    for pause in groups[:MAX_NAMES_PER_MESSAGE]:
        yield FindingLevel.WARNING, str(pause), f"Run manage.py resume --group '{pause.group}' when the work is done."
    if not everything and not groups:
        yield FindingLevel.OK, "Nothing is paused.", ""


def diagnose_hosts() -> Findings:
    now = database_now()
    known = list(Host.objects.filter(last_seen__gt=now - MAX_REPORTED_HOST_SILENCE).order_by("-last_seen"))
    live = [host for host in known if now - host.last_seen <= host_list.HOST_SILENT_AFTER]
    if not live:
        yield _no_live_host_finding(known)
    else:
        yield FindingLevel.OK, f"{len(live)} alive: {join_first_names([host.name for host in live])}.", ""
        left = _names_of_shut_down_hosts()
        for host in [host for host in known[len(live) :] if host.name not in left][:MAX_NAMES_PER_MESSAGE]:
            text = f"“{host.name}” has been silent since {local_time_text(host.last_seen)}."
            yield (
                FindingLevel.WARNING,
                text,
                "Start its processes again; ignore this if the host was taken out of service.",
            )
    for text in host_list.suspension_messages()[:MAX_NAMES_PER_MESSAGE]:
        advice = "Wait until then. If nobody set the clock or promoted a standby, look at the database server's clock."
        yield FindingLevel.WARNING, text, advice
    for text in draining.drain_messages()[:MAX_NAMES_PER_MESSAGE]:
        yield (
            FindingLevel.WARNING,
            text,
            "Shut it down, start its processes again, or run manage.py drain --undo there.",
        )
    for host in live:
        if abs(host.clock_skew_seconds or 0) > host_list.CLOCK_SKEW_WARNING_SECONDS:
            text = f"The clock of “{host.name}” differs from the database's clock by {host.clock_skew_seconds:+.1f} s."
            yield (
                FindingLevel.WARNING,
                text,
                "Synchronize it with NTP. Jobs are on time, but times in its logs are wrong.",
            )


def _names_of_shut_down_hosts() -> set[str]:
    """Names of hosts on which all workers have shut down, or, where none worked, all processes that ticked."""
    workers = HostService.objects.values_list("host__name", flat=True)
    tickers = Ticker.objects.values_list("host", flat=True)
    ended = set(workers.filter(ended_at__isnull=False))
    ended |= set(tickers.filter(ended_at__isnull=False)) - set(tickers.filter(ended_at=None))
    return ended - set(workers.filter(ended_at=None))


def _no_live_host_finding(known: list[Host]) -> tuple[FindingLevel, str, str]:
    last = f"The last one was “{known[0].name}”, {local_time_text(known[0].last_seen)}." if known else "None is known."
    text = f"No host was seen in the last {host_list.HOST_SILENT_AFTER.seconds // 60} minutes. {last}"
    advice = "Start celery beat and a worker; or cronserver; or run manage.py cron from a crontab once a minute."
    return FindingLevel.ERROR, text, advice


def diagnose_ticks_and_messages() -> Findings:
    """The tick and late messages, as the pages show them. The check of an executor asks its workers."""
    now = database_now()
    facts = health_facts.read_health_facts(now)
    tick, mails = figures_of_health.tick_health(facts, now), figures_of_health.message_health(facts, now)
    levels = {"warn": FindingLevel.WARNING, "bad": FindingLevel.ERROR}
    all_drain = figures_of_health.draining_host_if_all_hosts_drain(facts, now) is not None
    if tick.level in levels and not all_drain:  # draining hosts are a finding of ``diagnose_hosts``
        text = f"{tick.headline.capitalize()}. {tick.detail}"
        yield levels[tick.level], text, "If one of them runs, read its log, and compare its DATABASES with those here."
    if mails.level in levels:
        advice = "Start celery beat, cronserver or a worker: they send messages."
        if facts.late_messages[0].error:
            advice = "Correct the mail server (EMAIL_HOST), webhook or channel: see Outgoing messages in the admin."
        yield levels[mails.level], f"Messages: {mails.headline}. {mails.detail}", advice
    for queue in figures_of_health.queues_without_worker(facts, now)[:MAX_NAMES_PER_MESSAGE]:
        count = queue.queued_run_count
        runs = "1 run has been waiting" if count == 1 else f"{count} runs have been waiting, the oldest"
        text = f"No worker consumes the queue “{queue.name or queue.executor}”, in which {runs}"
        yield (
            FindingLevel.ERROR,
            f"{text} since {local_time_text(queue.oldest_claimed_at)}.",
            "Start a worker that consumes this queue.",
        )
    if tick.level == mails.level == "good":
        yield FindingLevel.OK, f"The last tick was {tick.headline}: {tick.detail}.", ""


def diagnose_backlog() -> Findings:
    now = database_now()
    if active_pauses.global_pause() is not None:
        yield FindingLevel.OK, "Not checked while all jobs are paused.", ""
        return
    late = health_facts.overdue_states(now - health_facts.get_cached_overdue_threshold(now)).order_by()
    count, oldest = late[:MAX_ROWS_TO_COUNT].count(), late.aggregate(oldest=Min("next_run"))["oldest"]
    if not oldest:
        yield FindingLevel.OK, "No job is overdue.", ""
        return
    level = FindingLevel.ERROR if now - oldest > figures_of_health.VERY_LATE_AFTER else FindingLevel.WARNING
    advice = "Start celery beat or cronserver; if they run (see “hosts”), read their log, and start more of them. "
    advice += "If a host has vanished, end the database sessions that are idle in a transaction: they lock jobs."
    yield level, f"Jobs that are due and not claimed: {count}, the oldest since {local_time_text(oldest)}.", advice


def diagnose_queued_runs() -> Findings:
    limit = database_now() - figures_of_health.QUEUE_WAIT_LIMIT
    waiting = Lease.objects.filter(run__status=Status.CLAIMED, run__claimed_at__lt=limit, run__children=None)
    oldest = waiting.select_related("run__job").order_by("run__claimed_at").first()
    if oldest is None:
        yield FindingLevel.OK, "No claimed run has waited for long.", ""
        return
    run = oldest.run
    reason = f" Its reason: {run.reason}" if run.reason else ""
    yield (
        FindingLevel.WARNING,
        f"Claimed runs that have not started: {waiting[:MAX_ROWS_TO_COUNT].count()}, the oldest (of “{run.job.name}”) "
        f"since {local_time_text(run.claimed_at)}.{reason}",
        "Start workers that consume their queues, and cronserver for local runs; or stop the runs.",
    )


def diagnose_jobs() -> Findings:
    broken = JobState.objects.filter(job__enabled=True).exclude(schedule_error="").order_by("job__name")
    found = list(broken.values_list("job__name", "schedule_error")[: MAX_NAMES_PER_MESSAGE + 1])
    for name, error in found[:MAX_NAMES_PER_MESSAGE]:
        yield (
            FindingLevel.WARNING,
            f"Scheduling of “{name}” is suspended: {error}",
            "Fix its schedule and save the job.",
        )
    if len(found) > MAX_NAMES_PER_MESSAGE:
        yield (
            FindingLevel.WARNING,
            "Scheduling of more jobs is suspended.",
            "Run: manage.py jobs --state schedule_error",
        )
    messages = [
        *findings_from_messages(check_jobs(databases=[settings.database])),
        *_diagnose_jobs_that_keep_all_runs(),
    ]
    yield from messages
    if not found and not messages:
        yield (
            FindingLevel.OK,
            f"{Job.objects.filter(enabled=True).count()} are enabled; none is known to be broken.",
            "",
        )


def _diagnose_jobs_that_keep_all_runs() -> Findings:
    """Jobs that keep all their runs, where nothing deletes them by age."""
    enabled = Job.objects.filter(enabled=True)
    if enabled.filter(command="cron_clean").exists():
        return
    has_many = Exists(Run.objects.filter(job=OuterRef("pk")).order_by("token")[MANY_STORED_RUNS:])
    growing = enabled.filter(has_many, maximum_log_entries=0, state__last_token__gt=MANY_STORED_RUNS).order_by("name")
    for name in growing.values_list("name", flat=True)[:MAX_NAMES_PER_MESSAGE]:
        text = f"“{name}” keeps all its runs: more than {MANY_STORED_RUNS:,} are stored, and no job deletes old ones."
        yield (
            FindingLevel.WARNING,
            text,
            "Set “runs kept” of this job, or add a job with the command cron_clean days 30.",
        )


def diagnose_reliability() -> Findings:
    now = database_now()
    overlaps, counts = figures.find_overlaps(now), figures.count_events(now)
    for each in overlaps.found[:MAX_NAMES_PER_MESSAGE]:
        ending = "is still open" if each.overlaps_now else f"ended {local_time_text(each.other_run_end)}"
        yield (
            FindingLevel.WARNING,
            f"Two runs of “{each.run.job.name}” overlapped: run {each.run.token} started "
            f"{local_time_text(each.run.started_at)}; another one {ending}.",
            "Look at what both runs wrote. If the database was not restored or failed over, report this.",
        )
    if not overlaps.found:
        numbers = ", ".join(f"{kind.label}: {each.last_week}" for kind, each in counts.items())
        yield FindingLevel.OK, f"No runs overlapped. In 7 days: {numbers}.", ""
