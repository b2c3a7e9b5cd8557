"""Signals, sent after the commit of the change. A receiver that raises is logged and changes nothing else."""

from __future__ import annotations

from django.dispatch import Signal

#: A run was claimed. Arguments: ``run_id``, ``job_id``, ``token``, ``trigger``.
run_claimed = Signal()

#: A run was started by a supervisor. Arguments: ``run_id``, ``job_id``, ``token``, ``host``.
run_started = Signal()

#: A run reached a final state; also one that was recorded as skipped, which was never claimed. Arguments: ``run_id``,
#: ``job_id``, ``token``, ``status``, ``code``, ``reason``.
run_finished = Signal()
