"""``CHRONIKER_JOB_ERROR_CALLBACK``: a function of the project's own."""

from __future__ import annotations

from django.utils.module_loading import import_string

from chroniker.conf import settings
from chroniker.exceptions import Undeliverable
from chroniker.models import Outbox, Status, Stream
from chroniker.outbox.output_tail import tail

#: Characters of each stream, from its end.
MOST = 100_000


def call(message: Outbox) -> None:
    """Call it with the job and the end of what the run wrote. What it raises is an attempt that failed.

    A run without anything on stderr (a lost one, a missed one) has there what became of it, and why.
    """
    path = settings.job_error_callback
    if not path:
        raise Undeliverable("CHRONIKER_JOB_ERROR_CALLBACK is not set any more.")
    run = message.run
    stdout, stderr = tail(run.pk, Stream.STDOUT, MOST), tail(run.pk, Stream.STDERR, MOST)
    import_string(path)(run.job, stdout=stdout, stderr=stderr or f"{Status(run.status).label}: {run.reason}")
