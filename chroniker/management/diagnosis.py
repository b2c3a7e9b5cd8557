"""What may keep jobs from running, question by question. Each answer is OK, or says what to do. Changes nothing."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from django.core.checks import ERROR, CheckMessage
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min

from chroniker.checks.executors import check_executors
from chroniker.checks.jobs import check_jobs
from chroniker.checks.runtime_dir import check_runtime_dir
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import due, pauses
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.eligibility.hosts import SILENT, SKEW_SECONDS
from chroniker.eligibility.hosts import suspension_messages as quiet_hosts
from chroniker.executors import executors
from chroniker.insights import reliability
from chroniker.management.console import local
from chroniker.models import Host, Job, JobState, Lease, Status

#: What is due for longer than this should have been claimed; a crontab's tick comes once a minute.
LATE, VERY_LATE = dt.timedelta(minutes=2), dt.timedelta(minutes=10)
#: A claim that has not started for so long.
WAITING = dt.timedelta(minutes=5)
#: A host that has been silent for this long is not missed any more.
FORGOTTEN = dt.timedelta(days=1)
#: Jobs and hosts that are named; and counted.
MOST_NAMED, MOST_COUNTED = 10, 10_000


class Level(IntEnum):
    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    about: str
    text: str
    advice: str = ""


Found = Iterator[tuple[Level, str, str]]


def examine(seconds: float) -> Iterator[Finding]:
    """Each examination ends, or is given up after so many seconds. Without tables only what needs none goes on."""
    usable = True
    for about, examination, needs_database in EXAMINATIONS:
        if needs_database and not usable:
            continue
        findings = _timed(about, examination, seconds)
        yield from findings
        if examination in (database, migrations) and any(finding.level == Level.ERROR for finding in findings):
            usable = False


def _timed(about: str, examination: Callable[[], Found], seconds: float) -> list[Finding]:
    """In a thread, which is left to itself when its time is up: a driver may wait for minutes."""
    found: list[Finding] = []

    def work() -> None:
        try:
            found.extend(Finding(level, about, text, advice) for level, text, advice in examination())
        except Exception as error:  # whatever a driver raises is a finding
            text = f"{type(error).__name__}: {str(error).strip()}"
            found.append(Finding(Level.ERROR, about, text, "Mend this first, then ask again."))
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name=f"doctor-{about}", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        text = f"No answer within {seconds:g} s."
        return [*found, Finding(Level.ERROR, about, text, "Look at the network and at the server; or give --timeout.")]
    return found


def database() -> Found:
    now = database_now()
    with transaction.atomic(using=settings.database):
        Host.objects.filter(pk=-1).update(last_seen=now)  # no row; refused all the same where nothing may be written
    vendor = connections[settings.database].vendor
    yield Level.OK, f"{vendor} answers and can be written; its clock says {local(now)}.", ""


def migrations() -> Found:
    executor = MigrationExecutor(connections[settings.database])
    leaves = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "chroniker"]
    missing = [migration.name for migration, _back in executor.migration_plan(leaves) if _is_ours(migration)]
    if missing:
        yield Level.ERROR, f"Not applied: {', '.join(missing)}.", "Run: manage.py migrate"
    else:
        yield Level.OK, "All are applied.", ""


def _is_ours(migration: object) -> bool:
    return getattr(migration, "app_label", "") == "chroniker"


def switches() -> Found:
    advice = "Run: manage.py resume, when it is time; and look for CHRONIKER_PAUSED in the settings."
    if everything := pauses.global_pause():
        yield Level.WARNING, str(everything), advice
    held = list(pauses.group_pauses().values())
    for pause in held[:MOST_NAMED]:
        yield Level.WARNING, str(pause), f"Run: manage.py resume --group '{pause.group}', when it is time."
    if not everything and not held:
        yield Level.OK, "Nothing is paused.", ""


def hosts() -> Found:
    now = database_now()
    seen = list(Host.objects.filter(last_seen__gt=now - FORGOTTEN).order_by("-last_seen"))
    live = [host for host in seen if now - host.last_seen <= SILENT]
    if not live:
        when = (
            f"The last one was “{seen[0].name}”, {local(seen[0].last_seen)}." if seen else "None ever was, or long ago."
        )
        advice = "Start cronserver, celery beat or a worker, or put manage.py cron into a crontab: nothing ticks now."
        yield Level.ERROR, f"No host was seen in the last {SILENT.seconds // 60} minutes. {when}", advice
    else:
        yield Level.OK, f"{len(live)} alive: {_some([host.name for host in live])}.", ""
        for host in seen[len(live) :][:MOST_NAMED]:
            text = f"“{host.name}” is silent since {local(host.last_seen)}."
            yield Level.WARNING, text, "Was it taken out of service? Then nothing; else look whether its ticks run."
    for words in quiet_hosts()[:MOST_NAMED]:
        advice = "Wait until then. Did the database's clock jump, or was a standby promoted? See docs: reliability."
        yield Level.WARNING, words, advice
    for host in live:
        if abs(host.clock_skew_seconds or 0) > SKEW_SECONDS:
            text = f"The clock of “{host.name}” is {host.clock_skew_seconds:+.1f} s off the database's."
            yield Level.WARNING, text, "Have it set by NTP: no job is late by it, but its log lines mislead."


def backlog() -> Found:
    now = database_now()
    if pauses.global_pause() is not None:
        yield Level.OK, "Not looked at while all is paused.", ""
        return
    late = due.find(SCHEDULED, now - LATE).order_by()
    count, oldest = late[:MOST_COUNTED].count(), late.aggregate(oldest=Min("next_run"))["oldest"]
    if not oldest:
        yield Level.OK, "Nothing is due for long.", ""
        return
    level = Level.ERROR if now - oldest > VERY_LATE else Level.WARNING
    advice = "Does anything tick? See “hosts”; else the ticks cannot keep up: look at their log, and start more."
    yield level, f"{count} jobs are due and not claimed, the oldest since {local(oldest)}.", advice


def queued() -> Found:
    limit = database_now() - WAITING
    waiting = Lease.objects.filter(run__status=Status.CLAIMED, run__claimed_at__lt=limit, run__children=None)
    oldest = waiting.select_related("run__job").order_by("run__claimed_at").first()
    if oldest is None:
        yield Level.OK, "No claimed run waits for long.", ""
        return
    run = oldest.run
    said = f" It says: {run.reason}" if run.reason else ""
    yield (
        Level.WARNING,
        f"{waiting[:MOST_COUNTED].count()} claimed runs have not started, the oldest (of “{run.job.name}”) since "
        f"{local(run.claimed_at)}.{said}",
        "Workers are busy, gone, or consume other queues; local runs need cron or cronserver. Or stop these runs.",
    )


def jobs() -> Found:
    aside = JobState.objects.filter(job__enabled=True).exclude(schedule_error="").order_by("job__name")
    found = list(aside.values_list("job__name", "schedule_error")[: MOST_NAMED + 1])
    for name, error in found[:MOST_NAMED]:
        yield Level.WARNING, f"“{name}” was set aside: {error}", "Edit its schedule; saving it puts it back."
    if len(found) > MOST_NAMED:
        yield Level.WARNING, "More jobs were set aside.", "Run: manage.py jobs --state set_aside"
    messages = check_jobs(databases=[settings.database])
    yield from _messages(messages)
    if not found and not messages:
        yield Level.OK, f"{Job.objects.filter(enabled=True).count()} are enabled, and none is known to be broken.", ""


def runners() -> Found:
    messages = check_executors()
    yield from _messages(messages)
    if any(message.level >= ERROR for message in messages):
        return
    used: dict[str, set[str]] = {"default": set()}
    pairs = Job.objects.filter(enabled=True, executor__in=list(executors)).order_by().values_list("executor", "queue")
    for alias, queue in pairs.distinct():
        used.setdefault(alias, set()).add(queue)
    for alias, queues in sorted(used.items()):
        wrong = executors[alias].diagnose(queues or {""})
        yield from _messages(wrong, f"“{alias}”: ")
        if not wrong:
            yield Level.OK, f"“{alias}” can take runs.", ""


def guarantee() -> Found:
    now = database_now()
    found, counts = reliability.overlaps(now), reliability.counts(now)
    for each in found.found[:MOST_NAMED]:
        until = "is still open" if each.is_now else f"ended {local(each.until)}"
        yield (
            Level.WARNING,
            f"Two runs of “{each.run.job.name}” overlapped: run {each.run.token} started {local(each.run.started_at)}; "
            f"another one {until}.",
            "This must not happen. Did the database's clock jump, or was it restored or failed over? Else report it.",
        )
    if not found.found:
        figures = ", ".join(f"{kind.label}: {each.week}" for kind, each in counts.items())
        yield Level.OK, f"No runs overlapped. In 7 days: {figures}.", ""


def directory() -> Found:
    messages = check_runtime_dir()
    yield from _messages(messages)
    if not messages:
        yield Level.OK, f"{settings.runtime_dir} is fit.", ""


def _messages(messages: Sequence[CheckMessage], before: str = "") -> Found:
    for message in messages:
        level = Level.ERROR if message.level >= ERROR else Level.WARNING
        yield level, f"{before}{message.msg} ({message.id})", message.hint or ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (" and others" if len(names) > MOST_NAMED else "")


#: What it is about, how it is examined, and whether that needs the database.
EXAMINATIONS: tuple[tuple[str, Callable[[], Found], bool], ...] = (
    ("database", database, False),
    ("migrations", migrations, True),
    ("runtime directory", directory, False),
    ("pauses", switches, True),
    ("hosts", hosts, True),
    ("backlog", backlog, True),
    ("queued", queued, True),
    ("jobs", jobs, True),
    ("executors", runners, True),
    ("reliability", guarantee, True),
)
