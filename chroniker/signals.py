"""Signals, sent after the commit of the change. A receiver that raises is logged and changes nothing else."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import Signal

from chroniker.conf import settings

#: A run was claimed. Arguments: ``run_id``, ``job_id``, ``token``, ``trigger``.
run_claimed = Signal()

#: A run was started by a supervisor. Arguments: ``run_id``, ``job_id``, ``token``, ``host``.
run_started = Signal()

#: A run reached a final state; also one that was recorded as skipped, which was never claimed. Arguments: ``run_id``,
#: ``job_id``, ``token``, ``status``, ``code``, ``reason``.
run_finished = Signal()


def send_after_commit(signal: Signal, sender: type, **arguments: Any) -> None:
    """Send at once, or after the commit of the caller's transaction; not at all if that is rolled back."""
    transaction.on_commit(lambda: signal.send_robust(sender, **arguments), using=settings.database)
