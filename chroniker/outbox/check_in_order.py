"""The order of pings and check-ins: one that comes late is not sent, because it would report an old state."""

from __future__ import annotations

import datetime as dt

from django.db.models import Q
from django.utils.translation import gettext as _

from chroniker.clock.database_clock import database_now
from chroniker.exceptions import MessageOutdated, MessageUndeliverable
from chroniker.models import Outbox
from chroniker.models.message_events import RUN_STARTED_EVENT

#: A ping that is sent later would report a job as alive that may have died since then.
MAX_CHECK_IN_AGE = dt.timedelta(minutes=5)


def ensure_current_and_drop_unsent_start(message: Outbox) -> None:
    """Raises ``MessageOutdated`` for a message that is too old, or that is wrong because of a newer message.

    The messages of a newer run of the job replace those of an older one. The start of a run is dropped once its end was
    sent. Before an end is sent, the start of its run is dropped if it was not sent.
    """
    run = message.run
    if run is None:
        raise MessageUndeliverable(_("Pings and check-ins are only about runs."))
    moment = run.started_at if message.event == RUN_STARTED_EVENT else run.finished_at
    if moment is not None and database_now() - moment > MAX_CHECK_IN_AGE:
        raise MessageOutdated(_("It was not sent, because it was more than 5 minutes old."))
    same = Outbox.objects.filter(channel=message.channel, run__job=run.job_id, run__slot="")
    if same.filter(run__token__gt=run.token).exists():
        raise MessageOutdated(_("It was not sent, because a newer run of the job has started since."))
    if message.event == RUN_STARTED_EVENT:
        if same.filter(~Q(event=RUN_STARTED_EVENT), run=run.pk, sent_at__isnull=False).exists():
            raise MessageOutdated(_("It was not sent, because the end of the run was already sent."))
    else:
        same.filter(run=run.pk, event=RUN_STARTED_EVENT, sent_at=None).exclude(send_at=None).update(
            send_at=None, error=_("It was not sent, because the end of the run was already sent.")
        )
