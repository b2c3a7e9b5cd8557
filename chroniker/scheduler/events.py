"""Events: a program requests a run of a job, in its own transaction. The run is claimed after the commit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import IntegrityError, connections, transaction
from django.utils.translation import gettext as _

from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility.waiting_activations import row_if_too_many_activations_wait
from chroniker.escaping import shortened
from chroniker.exceptions import CommandRefused, EventRefused, ExecutorError
from chroniker.executors import executors
from chroniker.executors.base import limit_dispatch_time_for_waiting_person
from chroniker.job_commands import options
from chroniker.lifecycle.activations import PASSED_OUTCOME, mark_unsaved_activation_as_ended, set_lateness_check_time
from chroniker.lifecycle.event_plan import make_argument_line
from chroniker.models import Activation, Job
from chroniker.reasons import Code, Reason
from chroniker.scheduler.tick import claim_and_dispatch

MAX_KEY_LENGTH = 200


def trigger(
    job: Job,
    key: str | None = None,
    instant: dt.datetime | None = None,
    args: Sequence[str] | None = None,
    by: str = "",
) -> Activation:
    """Insert an activation of ``job`` in the caller's transaction: rolled back with it, claimed after its commit.

    A second call with the same ``key`` returns the first activation, also if it has ended. *Limit:* a transaction at
    REPEATABLE READ that began before the commit of the first call cannot read that row. It gets a row that is not
    stored; in this case too, nothing is inserted. ``instant``: the scheduled time that the run is for, instead of now.
    ``args``: words in place of the job's arguments; they are not split, and placeholders in them are not replaced. A
    disabled job does not run: the activation shows this.

    Raises ``EventRefused`` with the reason, ``ValueError`` for a time without a time zone, and ``TypeError`` for
    arguments that are not a list of texts. In these cases nothing is written.
    """
    _check_transaction_database(job)
    _check_arguments(job, key, instant, args)
    now = database_now()
    row = Activation(
        target_id=job.pk,
        key=key,
        instant=instant or now,
        args=None if args is None else list(args),
        made_at=now,
        asked_by=by[:150],
    )
    target = Job.objects.filter(pk=job.pk).select_related("group").first()
    if target is None:
        raise EventRefused(_("The job was deleted."))
    set_lateness_check_time(row, target)
    if not target.enabled:
        mark_unsaved_activation_as_ended(row, PASSED_OUTCOME, Code.DISABLED)
    elif row_if_too_many_activations_wait(job.pk).exists():
        if (first := _find_activation_with_key(row)) is not None:
            return first
        raise EventRefused(str(Reason.of(Code.TOO_MANY)))
    return _insert_activation(row)


def _find_activation_with_key(row: Activation) -> Activation | None:
    """Return the stored activation with the same key. Without a key, needs no statement."""
    return None if row.key is None else Activation.objects.filter(target=row.target_id, key=row.key).first()


def _check_transaction_database(job: Job) -> None:
    """Refuse a caller whose transaction is on another database: the activation would not be rolled back with it."""
    ours = settings.database
    others = [alias for alias in connections if alias != ours and connections[alias].in_atomic_block]
    if job._state.db not in (None, ours) or (others and not connections[ours].in_atomic_block):
        text = _("Jobs are in the database “%(ours)s”, and this transaction is on “%(theirs)s”.")
        raise EventRefused(text % {"ours": ours, "theirs": others[0] if others else job._state.db})


def _check_arguments(job: Job, key: str | None, instant: dt.datetime | None, args: Sequence[str] | None) -> None:
    if instant is not None and instant.utcoffset() is None:
        raise ValueError(f"{instant} has no time zone")
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        text = _("“%(key)s” is not a valid key: a key has 1 to %(max)d printable characters.")
        raise EventRefused(text % {"key": shortened(key), "max": MAX_KEY_LENGTH})
    if args is None:
        return
    if isinstance(args, str) or not all(isinstance(word, str) for word in args):
        raise TypeError(f"args is a list of texts, not {args!r}")
    if not job.command:
        raise EventRefused(_("Raw commands have no separate arguments; edit the command instead."))
    if any("\0" in word for word in args):
        raise EventRefused(_("An argument contains the character NUL."))
    try:
        problem = options.argument_error(job.command, make_argument_line(args))
    except CommandRefused as refusal:
        raise EventRefused(str(refusal)) from refusal
    if problem:
        raise EventRefused(problem)


def _insert_activation(row: Activation) -> Activation:
    """Insert the row in a savepoint. The statement “insert or ignore” would cause deadlocks on MariaDB."""
    try:
        with transaction.atomic(using=settings.database):
            row.save(force_insert=True)
    except IntegrityError:
        if row.key is None:
            raise
        return _find_activation_with_key(row) or row  # the row is not visible to this transaction: see ``trigger``
    target = row.target_id
    transaction.on_commit(lambda: _claim_now_unless_executed_here(target), using=settings.database, robust=True)
    return row


def _claim_now_unless_executed_here(job_id: int) -> None:
    """Claim the run now, without waiting for the next tick, unless it would execute in this process."""
    alias = Job.objects.filter(pk=job_id).values_list("executor", flat=True).first()
    try:
        if alias is None or executors[alias].executes_here:
            return
    except ExecutorError:
        return  # the next tick shows the problem
    with limit_dispatch_time_for_waiting_person():
        claim_and_dispatch([job_id])
