"""Metrics as a program reads them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families as parse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.insights.metrics import scrape
from chroniker.lifecycle import Outcome
from chroniker.models import Job, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import started

NEVER = "0 0 1 1 *"
#: Labels by name and value -> number.
Found = dict[tuple[str, ...], float]


def metrics() -> dict[str, Found]:
    """By name of the sample, without prefix, and values of the labels, in the order of their names."""
    scrape.clear_cached_metrics()
    return by_name(parse(scrape.metrics_text()))


def by_name(families: Iterable[Metric]) -> dict[str, Found]:
    found: dict[str, Found] = {}
    for sample in (sample for family in families for sample in family.samples):
        labels = tuple(value for _name, value in sorted(sample.labels.items()))
        row = found.setdefault(sample.name.removeprefix("chroniker_"), {})
        assert labels not in row, f"{sample.name}{labels} stands twice"
        row[labels] = float(sample.value)
    return found


def ended(job: Job, status: Status = Status.SUCCEEDED, seconds: float = 0) -> Run:
    run = run_now(job, requested_by="a test")
    nonce = started(run)
    if seconds:
        Run.objects.filter(pk=run.pk).update(started_at=database_now() - dt.timedelta(seconds=seconds))
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(status))
    return Run.objects.get(pk=run.pk)
