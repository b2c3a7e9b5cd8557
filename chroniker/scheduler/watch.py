"""Checks that a process ticks, and that a worker consumes each queue in which runs wait. If not, raises an alarm.

These checks run in workers, beat, cronserver, and in each pass of ``cron``. So if one process dies, another process
reports it. If all are dead, only an outside service can report it (``CHRONIKER_HEARTBEAT_URL``).
"""

from __future__ import annotations

import datetime as dt
import logging

from django.db import Error
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker import outbox
from chroniker.clock import jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import hosts, liveness
from chroniker.eligibility.liveness import WaitingQueue
from chroniker.escaping import to_one_line
from chroniker.lifecycle import alarms
from chroniker.lifecycle.alarms import AlarmText
from chroniker.models import Ticker, installation
from chroniker.outbox.admin_links import fleet_link
from chroniker.process.kernel import host_clock
from chroniker.wording.formats import coarse_duration, short_duration, zoned_time

logger = logging.getLogger(__name__)


def seconds_between_checks() -> float:
    """Seconds between two checks. A silent scheduler is reported at the latest one such interval after its timeout."""
    return min(hosts.HEARTBEAT_SECONDS, settings.tick_timeout.total_seconds() / 2.5)


class FleetWatch:
    """The fleet checks of one process.

    ``waits_before_first_alarm``: do not count a silence before the first check, or before the first check after a
    pause of the checks (no database, or the machine was suspended): perhaps no process could tick during that time. Do
    not use it in a process that checks only once.
    """

    def __init__(self, *, waits_before_first_alarm: bool = True) -> None:
        self._waits_first = waits_before_first_alarm
        self._since: dt.datetime | None = None
        self._looked_at = float("-inf")  # monotonic clock

    @property
    def is_due(self) -> bool:
        return host_clock.monotonic() - self._looked_at >= seconds_between_checks()

    def raise_or_end_alarms(self) -> None:
        """Raise and end alarms. About five statements. A database error is logged, and the next check tries again."""
        try:
            self._check_fleet()
        except Error as error:
            self._since = None
            logger.warning("The scheduler could not be watched: %s", to_one_line(error))

    def _check_fleet(self) -> None:
        has_paused = host_clock.monotonic() - self._looked_at > 3 * seconds_between_checks()
        self._looked_at = host_clock.monotonic()
        now = database_now()
        if jump_detection.suspended_because() or installation.select_switch_if_copied().exists():
            self._since = None
            return
        if self._waits_first and (self._since is None or has_paused):
            self._since = now
        found = self._find_problems(now)
        open_alarms = alarms.read_raised_alarms()
        for subject, (since, text) in found.items():
            if subject not in open_alarms and alarms.raise_alarm(subject, since, text, now):
                logger.error("%s", to_one_line(" ".join(f"{text.title} {text.text}".split())))
        for subject, alarm in open_alarms.items():
            if subject not in found and self._has_problem_ended(subject, now):
                text = _end_of_alarm_text(subject, now - (alarm.since or now))
                if alarms.end_alarm(alarm, text, now):
                    logger.warning("%s", to_one_line(text.title))
        if found or open_alarms:
            outbox.start_sender_if_message_due()  # if nothing ticks, no other code sends messages

    def _find_problems(self, now: dt.datetime) -> dict[str, tuple[dt.datetime, AlarmText]]:
        """For each problem: the subject of its alarm, the start of the problem, and the text. Three statements."""
        found = {}
        if last := liveness.last_ticker_if_all_silent(liveness.read_latest_tickers(), now, self._since):
            found[alarms.TICK_ALARM_SUBJECT] = (last.last_at, _silent_scheduler_text(last, now))
        for queue in liveness.find_queues_without_worker(now).values():
            since, subject = queue.oldest_claimed_at, alarms.subject_of_queue_alarm(queue.executor, queue.name)
            if now - max(since, self._since or since) >= liveness.QUEUE_ALARM_DELAY:
                found[subject] = (since, _unserved_queue_text(queue, now))
        return found

    def _has_problem_ended(self, subject: str, now: dt.datetime) -> bool:
        """Whether the problem has ended. No waiting time: a process that has just started must not end an alarm."""
        if subject == alarms.TICK_ALARM_SUBJECT:
            return liveness.last_ticker_if_all_silent(liveness.read_latest_tickers(), now) is None
        unserved = liveness.find_queues_without_worker(now).values()
        return subject not in {alarms.subject_of_queue_alarm(queue.executor, queue.name) for queue in unserved}


def _silent_scheduler_text(last: Ticker, now: dt.datetime) -> AlarmText:
    words = {
        "since": zoned_time(last.last_at),
        "length": coarse_duration(now - last.last_at),
        "kind": last.kind,
        "host": last.host,
        "period": short_duration(last.period),
        "by": settings.hostname,
    }
    text = _(
        "The last tick was at %(since)s, %(length)s ago, by %(kind)s on the host %(host)s (one tick every "
        "%(period)s). No run starts until something ticks again.\n\nStart the process again: celery beat with "
        "the scheduler chroniker_celery.beat:Scheduler, manage.py cronserver, or manage.py cron in a crontab. "
        "If the process still exists, look at its log: the process may hang. manage.py doctor shows "
        "more.\n\nThis was noticed on the host %(by)s."
    )
    return AlarmText(_("Nothing has ticked since %(since)s: no run starts.") % words, _append_fleet_link(text % words))


def _unserved_queue_text(queue: WaitingQueue, now: dt.datetime) -> AlarmText:
    words = {
        "queue": queue.name or queue.executor,
        "n": queue.queued_run_count,
        "time": coarse_duration(now - queue.oldest_claimed_at),
        "by": settings.hostname,
    }
    text = ngettext(
        "%(n)d run has been waiting for %(time)s. Start a worker that consumes this queue.",
        "%(n)d runs wait, the oldest for %(time)s. Start a worker that consumes this queue.",
        queue.queued_run_count,
    )
    noticed = _("This was noticed on the host %(by)s.")
    return AlarmText(
        _("No worker consumes the queue “%(queue)s”.") % words, _append_fleet_link(f"{text}\n\n{noticed}" % words)
    )


def _end_of_alarm_text(subject: str, length: dt.timedelta) -> AlarmText:
    words = {"length": coarse_duration(length)}
    if subject == alarms.TICK_ALARM_SUBJECT:
        text = _(
            "Scheduled times in this period are run now or recorded as missed, depending on each job's misfire grace."
        )
        return AlarmText(_("The scheduler ticks again after %(length)s without a tick.") % words, text)
    words["queue"] = subject.split(":", 2)[2] or subject.split(":", 2)[1]
    return AlarmText(_("The queue “%(queue)s” has a worker again, or no run waits in it.") % words, "")


def _append_fleet_link(text: str) -> str:
    return f"{text}\n\n{link}" if (link := fleet_link()) else text
