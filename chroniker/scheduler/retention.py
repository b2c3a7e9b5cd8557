"""Delete old runs, a limited number of rows at a time: surplus runs after a claim, and runs of a given age by
``cron_clean``.

Always kept: open runs, runs with an unsent message, the attempt that a pending retry repeats, and the newest closed run
of each slot, so that the last result stays known. A run's children, output, events and messages are deleted with it.
Only ids are loaded, so Django sends no signals about deleted rows.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import operator
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from django.db import IntegrityError
from django.db.models import BigIntegerField, Case, Exists, F, Model, OuterRef, Q, QuerySet, When, Window
from django.db.models.functions import RowNumber

from chroniker.conf import settings
from chroniker.escaping import to_one_line
from chroniker.executors import executors
from chroniker.lifecycle.transactions import transactional
from chroniker.models import FINAL_STATUSES, OPEN_STATUSES, Backfill, JobState, LogChunk, Outbox, Run, RunEvent, Trigger
from chroniker.process.kernel import host_clock

logger = logging.getLogger(__name__)

#: Runs that one statement finds; they are deleted before the next search. Children are not counted.
RUNS_PER_SEARCH = 500
#: Runs deleted in one transaction, children not counted. A tick that deletes the same run waits for one transaction.
RUNS_PER_TRANSACTION = 100
#: Rows of output or events deleted in one transaction: a single run may have any number.
ROWS_PER_TRANSACTION = 1000
#: Jobs in one statement. The statement has two conditions for each job, and SQLite limits nested conditions.
JOBS_PER_STATEMENT = 200
#: If the maximum is at least ``LARGE_HISTORY_MAXIMUM``, up to this many surplus runs are kept for a while.
MAX_SURPLUS_RUNS, LARGE_HISTORY_MAXIMUM = 10, 100
#: A tick starts no further portion after this time.
TIME_LIMIT_PER_PASS = dt.timedelta(seconds=10)


def must_delete_surplus_runs(maximum: int, token_before: int, last_token: int) -> bool:
    """Whether a claim that used the tokens after ``token_before`` to ``last_token`` deletes surplus runs of its job.

    In a long history every tenth claim deletes surplus runs: each claim adds one surplus run, and the two statements of
    a deletion cost more than one surplus run. With a small ``maximum`` each claim deletes surplus runs.
    """
    every = MAX_SURPLUS_RUNS if maximum >= LARGE_HISTORY_MAXIMUM else 1
    return 0 < maximum < last_token and last_token // every > token_before // every


def delete_surplus_runs(job_ids: Collection[int]) -> int:
    """Delete runs beyond the jobs' ``maximum_log_entries``; returns how many, children not counted.

    Called with the jobs that were just claimed: only a claim makes a history grow, so the cost depends on the due jobs,
    not on all jobs. Tokens number a job's runs, so "all but the newest 1000" is a range of the index on (job, token),
    and no kept row is read. If a job has backfills, one more statement counts the runs of its backfills separately. The
    search needs two statements for each 200 jobs. At most ``RUNS_PER_SEARCH`` runs are deleted. A larger surplus (after
    the maximum was lowered) is deleted after later claims. Limit: the surplus of a job that is never claimed again
    stays.
    """
    ids, began, deleted = sorted(set(job_ids)), host_clock.monotonic(), 0
    for start in range(0, len(ids), JOBS_PER_STATEMENT):
        if host_clock.monotonic() - began > TIME_LIMIT_PER_PASS.total_seconds():
            break
        try:
            deleted += delete_runs(_find_surplus_runs(ids[start : start + JOBS_PER_STATEMENT]))
        except IntegrityError as error:  # a table of the project refers to runs; the tick continues
            logger.warning("Old runs could not be deleted: %s", str(error).strip())
    return deleted


def _find_surplus_runs(job_ids: Sequence[int]) -> list[UUID]:
    maximum = F("job__maximum_log_entries")
    longer = JobState.objects.filter(pk__in=job_ids, job__maximum_log_entries__gt=0, last_token__gt=maximum)
    plain = F("last_token") - maximum
    # Tokens between ``raised_from`` and ``raised_to`` belong to no run.
    across = F("raised_from") + F("last_token") - F("raised_to") - maximum
    cut = Case(When(raised_to__gt=plain, then=across), default=plain, output_field=BigIntegerField())
    has_backfills = Exists(Backfill.objects.filter(job=OuterRef("pk")))
    cuts = list(longer.annotate(cut=cut, counts_apart=has_backfills).values_list("pk", "cut", "counts_apart"))
    older = [Q(job=job_id, token__lte=cut) for job_id, cut, counts_apart in cuts if not counts_apart]
    if apart := [job_id for job_id, _cut, counts_apart in cuts if counts_apart]:
        older.append(Q(pk__in=_find_surplus_of_jobs_with_backfills(apart)))
    if not older:
        return []
    runs = deletable_runs().filter(functools.reduce(operator.or_, older))
    return list(runs.order_by("job", "token").values_list("pk", flat=True)[:RUNS_PER_SEARCH])


def _find_surplus_of_jobs_with_backfills(job_ids: Sequence[int]) -> list[UUID]:
    """The surplus of jobs with backfills. Runs of backfills are counted separately: they must not replace the history
    of the schedule.

    Needs one statement, which reads all runs of these jobs.
    """
    of_backfill = Case(When(origin=Trigger.BACKFILL, then=1), default=0)
    number = Window(RowNumber(), partition_by=[F("job"), of_backfill], order_by=F("token").desc())
    runs = Run.objects.filter(job__in=job_ids, slot="").annotate(number=number, most=F("job__maximum_log_entries"))
    surplus = runs.filter(number__gt=F("most")).order_by("job", "token")
    return list(surplus.values_list("pk", flat=True)[:RUNS_PER_SEARCH])


def deletable_runs_ended_before(moment: dt.datetime) -> QuerySet[Run]:
    """The deletable runs that had ended before ``moment``. The condition on ``claimed_at`` uses an index."""
    return deletable_runs().filter(claimed_at__lt=moment, finished_at__lt=moment)


def delete_runs_ended_before(moment: dt.datetime) -> Iterator[int]:
    """Delete ``deletable_runs_ended_before``, oldest first. Yields the number of deleted parents after each portion."""
    deleted, after = 0, None
    while True:
        runs = deletable_runs_ended_before(moment)
        if after is not None:  # do not read the kept runs again for each portion
            runs = runs.filter(claimed_at__gte=after)
        portion = list(runs.order_by("claimed_at").values_list("pk", "claimed_at")[:RUNS_PER_SEARCH])
        if not portion:
            return
        deleted += delete_runs([pk for pk, _claimed_at in portion])
        after = portion[-1][1]
        yield deleted


def deletable_runs() -> QuerySet[Run]:
    """Closed top-level runs, except the newest closed run of each slot, parents of such a run, attempts with a pending
    retry, and runs that the hourly counts do not contain yet."""
    later = Exists(
        Run.objects.filter(
            job=OuterRef("job"), slot=OuterRef("slot"), token__gt=OuterRef("token"), status__in=FINAL_STATUSES
        )
    )
    needed_children = Run.objects.filter(Q(status__in=OPEN_STATUSES) | ~Q(later), parent=OuterRef("pk"))
    unsent = Outbox.objects.filter(run=OuterRef("pk"), send_at__isnull=False)
    retried = JobState.objects.filter(pk=OuterRef("job"), retry_of=OuterRef("chain"), retry_attempt=OuterRef("attempt"))
    needed = Exists(needed_children) | Exists(unsent) | Exists(retried)
    return Run.objects.filter(later, ~needed, status__in=FINAL_STATUSES, parent=None, uncounted_since=None)


def delete_runs(run_ids: Sequence[UUID]) -> int:
    """Delete these closed runs with all their rows; returns how many, children not counted.

    Their output is deleted first, in separate transactions. If the process dies in between, the runs stay with part of
    their output; the next call deletes them.
    """
    if not run_ids:
        return 0
    children = Run.objects.filter(parent__in=run_ids).values_list("pk", "parent")
    parents = {pk: parent for pk, parent in children if parent is not None}
    run_ids_with_children = [*run_ids, *parents]
    _forget_runs_in_executors(run_ids_with_children)
    _delete_run_rows_in_batches(LogChunk, run_ids_with_children)
    _delete_run_rows_in_batches(RunEvent, run_ids_with_children)
    deleted = 0
    for start in range(0, len(run_ids), RUNS_PER_TRANSACTION):
        some = set(run_ids[start : start + RUNS_PER_TRANSACTION])
        deleted += _delete_runs_with_rows(
            list(some), [pk for pk in run_ids_with_children if pk in some or parents.get(pk) in some]
        )
    return deleted


def _forget_runs_in_executors(run_ids: Sequence[UUID]) -> None:
    """Let the executors delete what they have stored about these runs. An error is only logged: the runs are
    deleted anyway."""
    by_alias = defaultdict(list)
    for pk, alias in Run.objects.filter(pk__in=run_ids).values_list("pk", "executor"):
        by_alias[alias].append(pk)
    for alias, ids in by_alias.items():
        try:
            if alias in executors:
                executors[alias].forget(ids)
        except Exception as error:  # of any executor
            logger.warning("Executor %r could not forget %d runs: %s", alias, len(ids), to_one_line(error))


def forget_deleted_runs_in_executors(before: dt.datetime) -> int:
    """Let the executors delete what they stored before this time about runs that are deleted; returns how many."""
    forgotten = 0
    for alias in executors:
        try:
            forgotten += executors[alias].delete_data_of_deleted_runs(before)
        except Exception as error:  # of any executor
            logger.warning("Executor %r could not forget deleted runs: %s", alias, to_one_line(error))
    return forgotten


def _delete_run_rows_in_batches(model: type[LogChunk] | type[RunEvent], run_ids: Sequence[UUID]) -> None:
    while True:  # reads the keys first: MariaDB allows no LIMIT in such a subquery
        keys = list(model._default_manager.filter(run__in=run_ids).values_list("pk", flat=True)[:ROWS_PER_TRANSACTION])
        _delete_rows_without_reading(model._default_manager.filter(pk__in=keys))
        if len(keys) < ROWS_PER_TRANSACTION:
            return


@transactional
def _delete_runs_with_rows(run_ids: Sequence[UUID], run_ids_with_children: Sequence[UUID]) -> int:
    """Delete the rows in one transaction. If an event is added at the same time, a foreign key is violated,
    and the deletion is repeated."""
    for model in (LogChunk, RunEvent, Outbox):
        _delete_rows_without_reading(model._default_manager.filter(run__in=run_ids_with_children))
    closed = Run.objects.filter(status__in=FINAL_STATUSES)
    _delete_rows_without_reading(closed.filter(parent__in=run_ids))
    return _delete_rows_without_reading(closed.filter(pk__in=run_ids))


def _delete_rows_without_reading(rows: QuerySet[Model]) -> int:
    """Delete these rows by one DELETE, without reading them. (``QuerySet.delete`` reads rows that others refer to.)"""
    return rows._raw_delete(settings.database)
