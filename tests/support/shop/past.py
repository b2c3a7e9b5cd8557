"""The past of the shop: closed runs, job states and hourly counts."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Iterable
from random import Random
from uuid import UUID

from chroniker.models import START_DELAY_BOUNDS, Job, JobState, Run, RunHour, RunTotal, Status, Trigger
from chroniker.schedule import next_instant_after
from tests.support.shop.jobs import ShopJob

DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
#: Runs are kept so many days.
KEPT_DAYS = 14
ERROR = "ConnectionError: HTTP 503 from https://api.supplier.example/orders"


def an_id(random: Random, at: dt.datetime) -> UUID:
    """An id as ``uuid7`` makes them, from this source of randomness."""
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | random.getrandbits(62))


def instants(job: Job, since: dt.datetime, now: dt.datetime) -> list[dt.datetime]:
    """The scheduled times since then: 25 for each day at most, the newest."""
    found: list[dt.datetime] = []
    moment = next_instant_after(job.spec, since)
    while moment is not None and moment < now:
        found.append(moment)
        moment = next_instant_after(job.spec, moment)
    return found[-25 * (now - since).days :]


def delay(random: Random) -> float:
    """Seconds from the scheduled time to the claim: mostly within a second, rarely long."""
    return random.choice((0.2, 0.4, 0.4, 0.6, 0.9, 1.4)) if random.random() < 0.97 else random.uniform(3, 40)


def closed_runs(job: Job, shop_job: ShopJob, random: Random, now: dt.datetime, days: int) -> list[Run]:
    """One run for each scheduled time, each begun after the one before it had ended."""
    runs: list[Run] = []
    free_at = since = now - min(days, KEPT_DAYS) * DAY
    for instant in instants(job, since, now):
        claimed = max(instant + dt.timedelta(seconds=delay(random)), free_at)
        started = claimed + dt.timedelta(seconds=random.uniform(0.05, 0.4))
        seconds = shop_job.usual * random.lognormvariate(0, 0.12)
        fails = random.random() < shop_job.fails
        finished = started + dt.timedelta(seconds=seconds * (0.4 if fails else 1))
        if finished >= now:
            break
        runs.append(a_run(job, len(runs) + 1, instant, claimed, started, finished, fails, random))
        free_at = finished
    return runs


def a_run(
    job: Job, token: int, instant: dt.datetime, claimed: dt.datetime, started: dt.datetime | None,
    finished: dt.datetime | None, fails: bool, random: Random,
) -> Run:  # fmt: skip
    """A run of the schedule; without ``finished`` it is open, without ``started`` it is queued."""
    ended = Status.FAILED if fails else Status.SUCCEEDED
    return Run(
        id=an_id(random, claimed),
        job=job,
        token=token,
        chain=token,
        origin=Trigger.SCHEDULE,
        status=ended if finished else Status.RUNNING if started else Status.CLAIMED,
        trigger=Trigger.SCHEDULE,
        scheduled_for=instant,
        covered_until=instant,
        instant=instant,
        instant_until=instant,
        claimed_at=claimed,
        dispatched_at=claimed,
        dispatch_count=1,
        taken_at=started and claimed + (started - claimed) / 2,
        started_at=started,
        finished_at=finished,
        nonce=UUID(int=random.getrandbits(128)) if started else None,
        host=host_of(job),
        executor="default",
        queue=job.queue or "celery",
        worker=f"{job.queue or 'default'}@{host_of(job)}" if started else "",
        pid=4000 + token,
        argv=["manage.py", job.command, *job.args.split()],
        release="2.0.0",
        exit_code=int(fails) if finished else None,
        code="EXIT" if finished else "",
        reason_args={"status": int(fails)} if finished else {},
        error_line=ERROR if fails else "",
        cpu_seconds=(finished - started).total_seconds() * 0.4 if finished and started else None,
        max_rss_kb=random.randrange(60_000, 240_000) if finished else None,
    )


def host_of(job: Job) -> str:
    return "batch-1" if job.queue in ("heavy", "billing") else "web-1"


def write_state(job: Job, runs: list[Run], now: dt.datetime) -> None:
    """The state that these runs would have left."""
    values: dict[str, object] = {}
    if runs:
        last, good = runs[-1], [run for run in runs if run.status == Status.SUCCEEDED]
        bad = [run for run in runs if run.status == Status.FAILED]
        failures = next((n for n, run in enumerate(reversed(runs)) if run.status == Status.SUCCEEDED), len(runs))
        seconds = [round((run.finished_at - run.started_at).total_seconds(), 3) for run in good][-50:]  # type: ignore[operator]
        values = {
            "last_token": last.token,
            "last_status": last.status,
            "last_finished_at": last.finished_at,
            "covered_until": last.covered_until,
            "last_instant": last.instant,
            "failures": failures,
            "failing_since": runs[-failures].finished_at if failures else None,
            "last_success_at": good[-1].finished_at if good else None,
            "n_succeeded": len(good),
            "n_failed": len(bad),
            "recent_seconds": seconds,
            "p50": statistics.median(seconds) if seconds else None,
            "p95": sorted(seconds)[int(len(seconds) * 0.95)] if seconds else None,
        }
    following = next_instant_after(job.spec, now) if job.enabled else None
    JobState.objects.update_or_create(job=job, defaults={**values, "next_instant": following, "next_run": following})


def hourly_counts(job: Job, shop_job: ShopJob, random: Random, now: dt.datetime, days: int) -> Iterable[RunHour]:
    """One row for each hour of the last days in which the job ran, without looking at each run."""
    hour = now.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0) - days * DAY
    per_day = _runs_a_day(job, hour)
    while hour <= now and per_day:
        runs = per_day // 24 if per_day >= 24 else int(random.random() < per_day / 24)
        share = shop_job.fails * (6 if (now - hour).days == 17 else 1)
        failed = sum(random.random() < share for _ in range(runs))
        if runs:
            buckets = [0] * (len(START_DELAY_BOUNDS) + 1)
            for _run in range(runs):
                buckets[random.choices(range(7), (41, 35, 20, 3, 0.7, 0.4, 0.15))[0]] += 1
            counts = {f"delay_{n}": number for n, number in enumerate(buckets)}
            seconds = runs * shop_job.usual
            yield RunHour(
                job=job, hour=hour, succeeded=runs - failed, failed=failed, seconds_sum=seconds,
                seconds_max=shop_job.usual * 1.3, **counts,
            )  # fmt: skip
        hour += HOUR


def add_to_totals(totals: dict[dt.datetime, RunTotal], hours: Iterable[RunHour]) -> None:
    """Add the counts of these hours to those of all jobs, one half of them to each half hour."""
    names = ("succeeded", "failed", *(f"delay_{n}" for n in range(len(START_DELAY_BOUNDS) + 1)))
    for hour in hours:
        for second in (False, True):
            start = hour.hour + HOUR / 2 * second
            total = totals.setdefault(start, RunTotal(start=start))
            for name in names:
                setattr(total, name, getattr(total, name) + (getattr(hour, name) + second) // 2)


def _runs_a_day(job: Job, day: dt.datetime) -> int:
    count, moment = 0, next_instant_after(job.spec, day)
    while moment is not None and moment < day + DAY:
        count, moment = count + 1, next_instant_after(job.spec, moment)
    return count
