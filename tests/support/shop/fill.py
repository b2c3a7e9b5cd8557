"""Writes the shop into an empty database."""

from __future__ import annotations

import datetime as dt
from random import Random

from chroniker.models import Group, Job, JobDependency, Run, RunHour, RunTotal, Tag
from tests.support.shop import past, present
from tests.support.shop.jobs import GROUPS, JOBS, TAGS


def fill(now: dt.datetime, days: int = 30, seed: int = 11) -> None:
    """``days``: how far the hourly counts go back; the runs go back two weeks at most."""
    random = Random(seed)
    groups = {name: Group.objects.create(name=name, limit=limit) for name, limit in GROUPS.items()}
    jobs = {each.name: Job(**each.fields, group=groups[each.group], timezone="UTC", edited_at=None) for each in JOBS}
    Job.objects.bulk_create(jobs.values())
    saved = {job.name: job for job in Job.objects.all()}
    totals: dict[dt.datetime, RunTotal] = {}
    for each in JOBS:
        job = saved[each.name]
        job.tags.set(Tag.objects.get_or_create_tags(TAGS.get(each.group, ())))
        runs = past.closed_runs(job, each, random, now, days)
        Run.objects.bulk_create(runs)
        past.write_state(job, runs, now)
        hours = RunHour.objects.bulk_create(past.hourly_counts(job, each, random, now, days))
        past.add_to_totals(totals, hours)
        for dependee in (*each.after, *each.when_ended):
            JobDependency.objects.create(
                dependent=job,
                dependee=saved[dependee],
                wait_for_success=dependee in each.after,
                wait_for_next_run=False,
            )
    RunTotal.objects.bulk_create(totals.values())
    Run.objects.update(uncounted_since=None)
    Job.objects.update(edited_at=None)  # booked: see past.write_state
    present.add(now, random)
