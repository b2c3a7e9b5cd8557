"""Signals, sent after the move was committed. Best effort: a receiver that raises is logged, never in the way."""

from __future__ import annotations

from django.dispatch import Signal

#: A run was claimed. Arguments: ``run_id``, ``job_id``, ``token``, ``trigger``.
run_claimed = Signal()

#: A run was started by a supervisor. Arguments: ``run_id``, ``job_id``, ``token``, ``host``.
run_started = Signal()

#: A run reached a final state. Arguments: ``run_id``, ``job_id``, ``token``, ``status``, ``reason``.
run_finished = Signal()
