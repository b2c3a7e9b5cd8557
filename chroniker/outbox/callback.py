"""Calls the project's function ``CHRONIKER_JOB_ERROR_CALLBACK``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.utils.module_loading import import_string

from chroniker.conf import settings
from chroniker.exceptions import MessageUndeliverable
from chroniker.models import Outbox, Status, Stream
from chroniker.outbox.output_tail import read_tail

#: Characters of each stream, from its end.
MAX_OUTPUT_CHARACTERS = 100_000


def prepare_sending(message: Outbox) -> Callable[[], None]:
    """The function with its arguments: the job, the last output of the run. Its exception counts as a failed attempt.

    If the run has nothing on stderr (for example, it was lost or missed), ``stderr`` is its status and reason.
    """
    path = settings.job_error_callback
    if not path:
        raise MessageUndeliverable("CHRONIKER_JOB_ERROR_CALLBACK is no longer set.")
    run = message.run
    if run is None:
        raise MessageUndeliverable("The callback is called about runs alone.")
    stdout, stderr = (
        read_tail(run.pk, Stream.STDOUT, MAX_OUTPUT_CHARACTERS),
        read_tail(run.pk, Stream.STDERR, MAX_OUTPUT_CHARACTERS),
    )
    stderr = stderr or f"{Status(run.status).label}: {run.reason}"
    return partial(import_string(path), run.job, stdout=stdout, stderr=stderr)
