"""Periodic tests of the guarantees. Each test checks the runs since the last test and stores its results.

The tests only read runs. They write their own rows, and an event for each run that overlapped with an earlier run.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Count, DateTimeField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce

from chroniker import lifecycle
from chroniker.lifecycle.transactions import transactional
from chroniker.models import (
    EventKind,
    Group,
    Guarantee,
    GuaranteeHour,
    GuaranteeProgress,
    Lease,
    Run,
    RunEvent,
)

#: How often a tick tests the guarantees.
TEST_INTERVAL = dt.timedelta(minutes=10)
#: Runs that were claimed less than this ago are left to the next test: their transaction may not be committed yet.
MIN_AGE_OF_TESTED_CLAIMS = dt.timedelta(minutes=1)
#: The first test checks the runs of this time before it.
FIRST_TEST_LOOKBACK = dt.timedelta(days=1)
#: Each run is compared with this many runs before it.
MAX_COMPARED_RUNS = 50
#: The most open runs that are remembered, the oldest first. The most overlaps that one test records.
MAX_REMEMBERED_RUNS, MAX_RECORDED_OVERLAPS = 1000, 100
#: The second pass after the deadline of a claim closes it at the latest, if passes are at most a minute apart.
MAX_CLAIM_EXPIRY_DELAY = dt.timedelta(minutes=3)
RESULTS_KEPT_FOR = dt.timedelta(days=31)
GUARANTEE_PROGRESS_ROW_ID = 1


@transactional
def run_guarantee_tests(now: dt.datetime) -> None:
    """Test all guarantees that have a test, and add the results to the current hour. About ten statements."""
    progress = GuaranteeProgress.objects.select_for_update().filter(pk=GUARANTEE_PROGRESS_ROW_ID).first()
    since = progress.until if progress else now - FIRST_TEST_LOOKBACK
    until = max(since, now - MIN_AGE_OF_TESTED_CLAIMS)
    window = Q(claimed_at__gt=since, claimed_at__lte=until)
    again = [UUID(pk) for pk in progress.open_runs] if progress else []
    found = {
        Guarantee.ONE_INSTANCE: _record_overlaps(_overlapping_runs(window | Q(pk__in=again), now)),
        Guarantee.ONE_RECORD: _runs_recorded_twice(window).count(),
        Guarantee.CLAIMS_END: Lease.objects.filter(expires_at__lt=now - MAX_CLAIM_EXPIRY_DELAY).count(),
        Guarantee.GROUP_LIMIT: _groups_above_limit().count(),
    }
    _add_results(found, now)
    open_runs = Lease.objects.filter(run__claimed_at__lte=until).order_by("run__claimed_at")
    values = {
        "until": until,
        "open_runs": [str(pk) for pk in open_runs.values_list("pk", flat=True)[:MAX_REMEMBERED_RUNS]],
    }
    GuaranteeProgress.objects.update_or_create(
        pk=GUARANTEE_PROGRESS_ROW_ID, defaults=values, create_defaults={**values, "since": since}
    )


def _overlapping_runs(among_runs: Q, now: dt.datetime) -> QuerySet[Run]:
    """Runs that started before an earlier run of their job and slot had ended, and are not recorded yet."""
    # The cast: MariaDB converts a datetime to text if the other argument is text.
    end = Coalesce("finished_at", Cast(Value(now), DateTimeField()))
    earlier = Run.objects.annotate(end=end).filter(
        _is_recent_earlier_run(),
        slot=OuterRef("slot"),
        started_at__lt=OuterRef("end"),
        end__gt=OuterRef("started_at"),
    )
    recorded = RunEvent.objects.filter(run=OuterRef("pk"), kind=EventKind.OVERLAP)
    return Run.objects.annotate(end=end).filter(
        among_runs, Exists(earlier), ~Exists(recorded), started_at__isnull=False
    )


def _is_recent_earlier_run() -> Q:
    """Condition on Run: it is one of the ``MAX_COMPARED_RUNS`` runs of the same job before the outer run."""
    return Q(job=OuterRef("job"), token__lt=OuterRef("token"), token__gte=OuterRef("token") - MAX_COMPARED_RUNS)


def _record_overlaps(runs: QuerySet[Run]) -> int:
    ids = list(runs.values_list("pk", flat=True)[:MAX_RECORDED_OVERLAPS])
    for pk in ids:  # none, unless a guarantee is broken
        lifecycle.add_run_event(pk, EventKind.OVERLAP)
    return len(ids)


def _runs_recorded_twice(among_runs: Q) -> QuerySet[Run]:
    """Runs and skipped ranges that begin within the range of an earlier run of their job and slot."""
    earlier = Run.objects.filter(
        _is_recent_earlier_run(), slot=OuterRef("slot"), covered_until__gte=OuterRef("scheduled_for")
    )
    return Run.objects.filter(among_runs, Exists(earlier), scheduled_for__isnull=False, parent=None)


def _groups_above_limit() -> QuerySet[Any]:
    """Groups with more open runs than their limit. This includes groups whose limit was lowered during the runs."""
    leases = Lease.objects.filter(slot="", job__group=OuterRef("pk")).order_by().values("job__group")
    counted = models.Subquery(leases.annotate(n=Count("pk")).values("n"))
    return Group.objects.filter(limit__isnull=False).annotate(open=counted).filter(open__gt=F("limit"))


def _add_results(violations_by_guarantee: dict[Guarantee, int], now: dt.datetime) -> None:
    hour = now.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
    rows = [GuaranteeHour(guarantee=each, hour=hour) for each in violations_by_guarantee]
    GuaranteeHour.objects.bulk_create(rows, ignore_conflicts=True)
    for guarantee, violations in violations_by_guarantee.items():
        row = GuaranteeHour.objects.filter(guarantee=guarantee, hour=hour)
        row.update(tests=F("tests") + 1, violations=F("violations") + violations)
    GuaranteeHour.objects.filter(hour__lt=now - RESULTS_KEPT_FOR).delete()
