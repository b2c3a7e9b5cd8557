"""Deleting history, a bounded number of rows at a time.

Kept in any case: open runs, runs with a message that is not sent yet, and the newest closed run of each slot, so that
the last result stays known. A run's children, output, events and messages are deleted with it. Only ids are loaded, so
Django sends no signals about deleted rows.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import operator
import time
from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Exists, F, Model, OuterRef, Q, QuerySet

from chroniker.conf import settings
from chroniker.lifecycle.transactions import transactional
from chroniker.models import FINAL, OPEN, JobState, LogChunk, Outbox, Run, RunEvent

logger = logging.getLogger(__name__)

#: Runs in one transaction, children aside.
PORTION = 500
#: Rows of output, or of another kind, in one transaction: a run may have written any amount.
ROWS = 1000
#: Jobs whose surplus one statement looks for: it has two conditions for each, and SQLite nests them.
JOBS = 200
#: A tick begins no further portion after this time.
TIME_BOX = dt.timedelta(seconds=10)


def trim(job_ids: Collection[int]) -> int:
    """Delete what these jobs have beyond their ``maximum_log_entries``; how many runs went, their children aside.

    Called with the jobs that were claimed just now: only a claim makes a history grow, so what this costs follows
    what was due, and no pass looks at all jobs. Tokens count a job's runs, so "all but the newest 1000" is a range
    of the index on (job, token), and no row that stays is read. For each 200 jobs: two statements, and where there is
    a surplus, those that delete at most ``PORTION`` runs. The rest of a larger surplus (the maximum was lowered) goes
    with the next claims; that of a job which is never claimed any more stays.
    """
    ids, began, deleted = sorted(set(job_ids)), time.monotonic(), 0
    for start in range(0, len(ids), JOBS):
        if time.monotonic() - began > TIME_BOX.total_seconds():
            break
        try:
            deleted += delete(_surplus(ids[start : start + JOBS]))
        except IntegrityError as error:  # a table of the project's refers to runs; that never stops a tick
            logger.warning("Old runs could not be deleted: %s", str(error).strip())
    return deleted


def _surplus(job_ids: Sequence[int]) -> list[UUID]:
    maximum = F("job__maximum_log_entries")
    longer = JobState.objects.filter(pk__in=job_ids, job__maximum_log_entries__gt=0, last_token__gt=maximum)
    cuts = longer.annotate(cut=F("last_token") - maximum).values_list("pk", "cut")
    older = [Q(job=job_id, token__lte=cut) for job_id, cut in cuts]
    if not older:
        return []
    runs = deletable().filter(functools.reduce(operator.or_, older))
    return list(runs.order_by("job", "token").values_list("pk", flat=True)[:PORTION])


def ended_before(moment: dt.datetime) -> QuerySet[Run]:
    """What may be deleted of the runs that had ended by ``moment``. The first condition is the one with an index."""
    return deletable().filter(claimed_at__lt=moment, finished_at__lt=moment)


def delete_before(moment: dt.datetime) -> Iterator[int]:
    """Delete ``ended_before``, oldest first; after each portion: how many runs went so far, their children aside."""
    deleted, after = 0, None
    while True:
        runs = ended_before(moment)
        if after is not None:  # what must stay is not looked at again with each portion
            runs = runs.filter(claimed_at__gte=after)
        portion = list(runs.order_by("claimed_at").values_list("pk", "claimed_at")[:PORTION])
        if not portion:
            return
        deleted += delete([pk for pk, _claimed_at in portion])
        after = portion[-1][1]
        yield deleted


def deletable() -> QuerySet[Run]:
    """Closed top-level runs, except the newest closed run of each slot, and parents of such a run."""
    later = Exists(
        Run.objects.filter(job=OuterRef("job"), slot=OuterRef("slot"), token__gt=OuterRef("token"), status__in=FINAL)
    )
    needed_children = Run.objects.filter(Q(status__in=OPEN) | ~Q(later), parent=OuterRef("pk"))
    unsent = Outbox.objects.filter(run=OuterRef("pk"), send_at__isnull=False)
    return Run.objects.filter(later, ~Exists(needed_children), ~Exists(unsent), status__in=FINAL, parent=None)


def delete(run_ids: Sequence[UUID]) -> int:
    """Delete these closed runs with all that belongs to them; how many went, their children aside.

    Their output goes first, in transactions of its own. Whoever dies in between leaves runs without (all of) their
    output, which the next one deletes.
    """
    if not run_ids:
        return 0
    family = [*run_ids, *Run.objects.filter(parent__in=run_ids).values_list("pk", flat=True)]
    _delete_rows(LogChunk, family)
    _delete_rows(RunEvent, family)
    return _delete(run_ids, family)


def _delete_rows(model: type[LogChunk] | type[RunEvent], run_ids: Sequence[UUID]) -> None:
    while True:  # MariaDB knows no LIMIT in a subquery, hence the keys
        keys = list(model._default_manager.filter(run__in=run_ids).values_list("pk", flat=True)[:ROWS])
        _delete_all(model._default_manager.filter(pk__in=keys))
        if len(keys) < ROWS:
            return


@transactional
def _delete(run_ids: Sequence[UUID], family: Sequence[UUID]) -> int:
    """An event that arrives meanwhile violates a key; then this is tried again, and takes it along."""
    for model in (LogChunk, RunEvent, Outbox):
        _delete_all(model._default_manager.filter(run__in=family))
    closed = Run.objects.filter(status__in=FINAL)
    _delete_all(closed.filter(parent__in=run_ids))
    return _delete_all(closed.filter(pk__in=run_ids))


def _delete_all(rows: QuerySet[Model]) -> int:
    """One DELETE, whose rows are not read first, as ``QuerySet.delete`` does for rows that others refer to."""
    return rows._raw_delete(settings.database)
