"""Alerts: episodes of a problem with a job, from the time when it was noticed until it ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.db import models
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import WriteDatabaseManager, uuid7
from chroniker.models.job import Job
from chroniker.models.run import Run
from chroniker.reasons import Code, Reason, render
from chroniker.wording.formats import as_sentence, format_count, short_duration, zoned_time


class AlertKind(models.TextChoices):
    """What is wrong. Messages about an alert have the type ``alert.KIND``, and ``alert.recovered`` when it ends."""

    LATE = "late", _("late")
    SLOW = "slow", _("slow")
    OVERDUE = "overdue", _("overdue")
    FAILING = "failing", _("failing")
    MISSED = "missed", _("missed")
    HELD = "held", _("on hold")
    SET_ASIDE = "set_aside", _("schedule error")
    BACKFILL = "backfill", _("backfill failed")

    @property
    def bit(self) -> int:
        """Its place in ``JobState.alerts_open``."""
        return _ALERT_KIND_BITS[self]


_ALERT_KIND_BITS = {kind: 1 << place for place, kind in enumerate(AlertKind)}


def alert_kinds_of_bits(bits: int) -> list[AlertKind]:
    return [kind for kind in AlertKind if bits & kind.bit]


class Alert(models.Model):
    """One episode. The unique key decides which of several processes has noticed it first: only that one reports it.

    ``key`` distinguishes the episodes of one kind: an instant, the id of a run, a date, or the first failure's time.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    scope = models.CharField(max_length=50)  #: "job:42", or "fleet": a NULL job would not be unique
    job = models.ForeignKey(  # without a constraint: a long edit of the job must not delay the end of its run
        Job, models.CASCADE, null=True, db_constraint=False, related_name="alerts", verbose_name=_("job")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=AlertKind)
    key = models.CharField(max_length=100)
    raised_at = models.DateTimeField(_("since"))
    ended_at = models.DateTimeField(_("ended"), null=True, db_index=True, help_text=_("Empty: it is open."))
    reported_at = models.DateTimeField(
        _("reported"), null=True, help_text=_("When messages about it were last written. Empty: it is muted.")
    )
    run = models.ForeignKey(  # without a constraint: old runs are deleted by SQL, without the models
        Run, models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    args = models.JSONField(default=dict)  #: the parameters of its text

    objects = WriteDatabaseManager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        default_permissions = ("view",)
        constraints = (models.UniqueConstraint(fields=["scope", "kind", "key"], name="chroniker_alert_once"),)

    def __str__(self) -> str:
        return gettext("Alert: %(headline)s") % {"headline": self.headline}

    @property
    def headline(self) -> str:
        """What is wrong with which job, without times: “nightly import” is late."""
        is_known = self.kind in AlertKind.values
        label = str(AlertKind(self.kind).label) if is_known else self.kind
        if self.job_id is None:
            return label
        name = self._job_name
        if not name:
            return gettext("deleted job %(id)d: %(kind)s") % {"id": self.job_id, "kind": label}
        return (_headline_template(self.kind) if is_known else gettext("%(job)s: %(kind)s")) % {
            "job": name,
            "kind": label,
        }

    @property
    def _job_name(self) -> str:
        """Empty if the job was deleted by SQL, without the models."""
        try:
            return self.job.name if self.job is not None else ""
        except Job.DoesNotExist:
            return ""

    @property
    def event(self) -> str:
        """The type of the messages that report it."""
        return f"alert.{self.kind}"

    @property
    def text(self) -> str:
        """For messages: one sentence or two, in the active language: what was expected, what happened, and why."""
        return self.text_with_time_format(zoned_time)

    def text_with_time_format(self, moment: Callable[[dt.datetime], str]) -> str:
        """Like ``text``, with times in the format of ``moment``: a message is read later than a page."""
        words = {name: _parameter_text(name, value, moment) for name, value in self.args.items()}
        try:
            parts = [_make_sentence(self.kind, self.args, words), _slow_hosts_text(self.args), words.get("why", "")]
            return " ".join(filter(None, parts))
        except (KeyError, TypeError, ValueError):  # of another version
            return " ".join([self.kind, *(f"{name}={value}" for name, value in self.args.items())])


def alert_scope_of_job(job_id: int) -> str:
    """The part of the unique key of an alert that names its job."""
    return f"job:{job_id}"


#: Parameters that are times in ISO format, or seconds.
_TIME_PARAMETERS = frozenset({"instant", "until", "since", "started", "deadline"})
_DURATION_PARAMETERS = frozenset({"limit"})


def _parameter_text(name: str, value: Any, moment: Callable[[dt.datetime], str]) -> str:
    if name in _TIME_PARAMETERS:
        return moment(dt.datetime.fromisoformat(value))
    if name in _DURATION_PARAMETERS:
        return short_duration(value)
    if name == "why":
        because = Reason.from_text(str(value))
        without = [Code.LAST_LINE]  # output may contain secrets
        return as_sentence(render(because.code or "", because.args, because.text, without=without))
    return as_sentence(str(value)) if name == "error" else str(value)


def _headline_template(kind: str) -> str:
    return {
        AlertKind.LATE: gettext("“%(job)s” is late"),
        AlertKind.SLOW: gettext("a run of “%(job)s” is slow"),
        AlertKind.OVERDUE: gettext("“%(job)s” is overdue"),
        AlertKind.FAILING: gettext("“%(job)s” is failing"),
        AlertKind.MISSED: gettext("“%(job)s” has missed scheduled times"),
        AlertKind.HELD: gettext("“%(job)s” is on hold"),
        AlertKind.SET_ASIDE: gettext("the schedule of “%(job)s” has an error"),
        AlertKind.BACKFILL: gettext("a backfill of “%(job)s” has failed"),
    }[AlertKind(kind)]


def _make_sentence(kind: str, args: dict[str, Any], words: dict[str, str]) -> str:
    if kind == AlertKind.FAILING:
        text = ngettext(
            "It failed once, at %(since)s.", "It has failed %(n)s times in a row since %(since)s.", args["n"]
        )
        return text % {**words, "n": format_count(args["n"])}
    if kind == AlertKind.BACKFILL:
        return _backfill_sentence(args, words)
    if kind == AlertKind.LATE and "instant" not in args:
        return gettext("A run was requested at %(since)s and had not started by %(until)s.") % words
    texts = {
        AlertKind.LATE: gettext("It was scheduled for %(instant)s and had not started by %(until)s."),
        AlertKind.SLOW: gettext("Run %(token)s, started at %(started)s, has taken longer than %(limit)s."),
        AlertKind.OVERDUE: gettext("No run for the scheduled time %(instant)s had succeeded by %(deadline)s."),
        AlertKind.MISSED: gettext("Every scheduled time from %(instant)s to %(until)s was missed."),
        AlertKind.HELD: gettext(
            "The job has been held since run %(token)s failed: its scheduled times wait until the job is resumed."
        ),
        AlertKind.SET_ASIDE: gettext("Its schedule cannot be computed. %(error)s"),
    }
    return texts[AlertKind(kind)] % words


def _slow_hosts_text(args: dict[str, Any]) -> str:
    """The slow hosts of a run on every host, each with its duration. Empty for any other alert."""
    return as_sentence(", ".join(f"{host}: {short_duration(seconds)}" for host, seconds in args.get("hosts", ())))


def _backfill_sentence(args: dict[str, Any], words: dict[str, str]) -> str:
    if "error" in args:
        text = gettext(
            "The backfill from %(instant)s to %(until)s has ended: its scheduled times cannot be computed. %(error)s"
        )
    elif "token" in args:
        text = gettext("The backfill from %(instant)s to %(until)s was ended by the failure of run %(token)s.")
    else:
        text = ngettext(
            "The backfill from %(instant)s to %(until)s has ended: %(n)s run failed.",
            "The backfill from %(instant)s to %(until)s has ended: %(n)s runs failed.",
            args["n"],
        )
        words = {**words, "n": format_count(args["n"])}
    return text % words
