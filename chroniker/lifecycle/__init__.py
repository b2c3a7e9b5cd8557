"""The only writer of ``Run.status``, ``Lease`` and ``JobState``.

Each move is one conditional UPDATE that names the state it leaves; zero rows is an answer. Whoever claims or closes
locks JobState first, and only a claim for a group with a limit locks that before. Lock order everywhere: Group,
JobState, Job, Run, Lease, each by id.
"""

from chroniker.lifecycle.attention import needs_attention
from chroniker.lifecycle.booking import book, set_aside
from chroniker.lifecycle.claim import claim
from chroniker.lifecycle.clock_jump import settle
from chroniker.lifecycle.close import cancel, expire, finish
from chroniker.lifecycle.deletion import remove, to_remove
from chroniker.lifecycle.dispatch_state import dispatched, left_to_host, not_accepted, taken_to_dispatch
from chroniker.lifecycle.events import note
from chroniker.lifecycle.imported_history import keep_tokens, record_past
from chroniker.lifecycle.plan import Plan
from chroniker.lifecycle.start import Started, renew, start
from chroniker.lifecycle.stop import request_stop
from chroniker.lifecycle.transactions import wait_for

__all__ = [
    "Plan",
    "Started",
    "book",
    "cancel",
    "claim",
    "dispatched",
    "expire",
    "finish",
    "keep_tokens",
    "left_to_host",
    "needs_attention",
    "not_accepted",
    "note",
    "record_past",
    "remove",
    "renew",
    "request_stop",
    "set_aside",
    "settle",
    "start",
    "taken_to_dispatch",
    "to_remove",
    "wait_for",
]
