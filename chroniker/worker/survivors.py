"""Processes that survived their run: the next run of the job and slot starts only after they have ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from chroniker.process.kernel import host_clock
from chroniker.process.process_tree import SurvivingProcess
from chroniker.process.run_spec import RunSpec
from chroniker.worker.report_interface import Report
from chroniker.worker.shutdown_notice import ShutdownNotice

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5


def hold_slot_until_survivors_end(
    report: Report, spec: RunSpec, survivors: Sequence[SurvivingProcess], notice: ShutdownNotice | None
) -> None:
    """Renew the lease of the closed run until these processes have ended; then release it.

    Limits: after the worker has shut down or died, and while the database does not answer, the slot is free after one
    lease.
    """
    if not survivors:
        return
    names = ", ".join(each.name for each in survivors)
    log.error("run %s: these processes could not be killed; its job waits until they end: %s", spec.run_id, names)
    renew_at = host_clock.boot() + spec.heartbeat
    while any(each.is_alive for each in survivors):
        if notice is not None and notice.is_announced:
            return
        if host_clock.boot() >= renew_at:
            renew_at = host_clock.boot() + spec.heartbeat
            if not _renew_lease(report):
                return
        host_clock.sleep(_POLL_SECONDS)
    try:
        report.release_lease()
    except Exception as error:  # the lease expires by itself
        log.warning("run %s: its lease was not released: %r", spec.run_id, error)
    finally:
        report.close()


def _renew_lease(report: Report) -> bool:
    """Whether the lease may still be held."""
    try:
        return report.renew(None).held
    except Exception as error:  # tried again at the next heartbeat
        log.warning("run %s: renewal failed: %r", report.run_id, error)
        report.close()
        return True
