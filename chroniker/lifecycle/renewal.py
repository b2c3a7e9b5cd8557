"""Renew the lease of a running run."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from chroniker.clock import jump_detection
from chroniker.clock.database_clock import NowPlus
from chroniker.clock.jump_detection import HostClocks
from chroniker.conf import settings
from chroniker.eligibility import hosts
from chroniker.lifecycle import one_statement
from chroniker.models import Lease, Run
from chroniker.models.statements import Statement, cache_compiled_statement, make_column_parameters, statement_parameter
from chroniker.process.run_spec import LeaseRenewalAnswer


def renew(run_id: UUID, token: int, nonce: UUID, progress: tuple[int, int] | None = None) -> LeaseRenewalAnswer:
    """Extend the lease, store the progress, and return whether a stop was requested. Writes Lease only.

    An expired lease is never renewed. If no row is updated, another instance may be running. There are two exceptions,
    where time alone does not end a lease: with a lock file (one host), ticks check that lock before they expire a run;
    and while this host has noticed a jump of the database's clock.
    """
    if one_statement.are_combined_statements_available():
        before = jump_detection.read_host_clocks()
        statement = _make_lease_renewal_statement(progress is not None, bool(jump_detection.last_known_server()))
        parts = {} if progress is None else {"total_parts": progress[0], "total_parts_complete": progress[1]}
        found = one_statement.execute_renewal_statement(
            statement, {"run": run_id, "token": token, "nonce": nonce, **parts}
        )
        if found is not None:
            return _make_renewal(*found, before)
    values = _renewal_columns(progress)
    lease, valid = _select_held_lease_and_renewable_lease(run_id, token, nonce)
    if not valid.update(**values) and not (_is_expired_only_by_clock_jump(lease) and lease.update(**values)):
        return LeaseRenewalAnswer(held=False)
    before = jump_detection.read_host_clocks()
    answers = Run.objects.filter(pk=run_id).annotate(now=NowPlus(), server=jump_detection.server_identity_expression())
    return _make_renewal(*answers.values_list("stop_requested_at", "stop_requested_by", "now", "server").get(), before)


def _select_held_lease_and_renewable_lease(
    run_id: UUID, token: int, nonce: UUID
) -> tuple[QuerySet[Lease], QuerySet[Lease]]:
    """The lease of this holder; and the lease only if its time allows a renewal."""
    lease = Lease.objects.filter(pk=run_id, token=token, nonce=nonce)
    return lease, lease if settings.check_lock_file else lease.filter(expires_at__gt=NowPlus())


def _renewal_columns(progress: tuple[int, int] | None) -> dict[str, Any]:
    values: dict[str, Any] = {"expires_at": NowPlus(settings.lease)}
    if progress is not None:
        values |= {"total_parts": progress[0], "total_parts_complete": progress[1]}
    return values


@cache_compiled_statement
def _make_lease_renewal_statement(with_progress: bool, with_server: bool) -> Statement:
    _lease, valid = _select_held_lease_and_renewable_lease(
        statement_parameter("run"), statement_parameter("token"), statement_parameter("nonce")
    )
    values = make_column_parameters(Lease, _renewal_columns((0, 0) if with_progress else None))
    return one_statement.make_renewal_statement(valid, values, with_server=with_server)


def _make_renewal(
    stop_requested_at: dt.datetime | None,
    stop_requested_by: str,
    now: dt.datetime,
    server: str,
    clocks_before: HostClocks,
) -> LeaseRenewalAnswer:
    hosts.record_clock_skew(jump_detection.evaluate_reading(now, server or None, clocks_before))
    return LeaseRenewalAnswer(held=True, stop_requested_by=None if stop_requested_at is None else stop_requested_by)


def _is_expired_only_by_clock_jump(lease: QuerySet[Lease]) -> bool:
    """Whether this lease still exists and its time has passed only because the database's clock jumped.

    The holder renews only while the lease has not run out on its own clock. While the row exists, no other run starts:
    an expiry deletes the row in a statement that compares the time again.
    """
    return not settings.check_lock_file and lease.exists() and bool(jump_detection.read_clock().suspended_because)
