"""Channels: where messages about alerts and runs go. People edit channels; a separate table records failures."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import models
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from chroniker.models.base import UniqueNameManager, WriteDatabaseManager
from chroniker.models.channel_kind import CHECK_IN_KINDS, ChannelKind
from chroniker.models.channel_target import masked_target
from chroniker.models.channel_validation import validate_channel
from chroniker.models.message_events import PROBLEM_END_EVENTS, PROBLEM_EVENTS, RUN_EVENTS, RUN_STARTED_EVENT

#: What channels for pings and check-ins get.
_CHECK_IN_EVENTS = frozenset({RUN_STARTED_EVENT, *RUN_EVENTS.values()} - {RUN_EVENTS["SKIPPED"]})


class Channel(models.Model):
    """One place that gets messages. Its messages wait in the outbox."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=ChannelKind)
    target = models.CharField(
        _("target"),
        max_length=1000,
        blank=True,
        help_text=_(
            "Email: addresses, user:NAME and owner, with commas between. Webhook, Slack, Teams, JSON: the https:// "
            "address that the service gave you. PagerDuty: empty, or its address for the EU. Ping: the address of the "
            "check; {slug} in it becomes the job's name. Sentry: the DSN of the project. Or "
            "setting:CHRONIKER_CHANNEL_NAME or env:CHRONIKER_CHANNEL_NAME, to keep it out of the database."
        ),
    )
    secret = models.CharField(
        _("secret"),
        max_length=300,
        blank=True,
        help_text=_(
            "Webhook: the key that signs each message, or empty. PagerDuty: the integration key. Or setting: or env:, "
            "as for the target."
        ),
    )
    template = models.TextField(
        _("template"),
        blank=True,
        max_length=10_000,
        help_text=_("JSON of your own: the body, with placeholders in its texts, such as {{ job }} and {{ text }}."),
    )
    events = models.JSONField(
        _("events"),
        default=list,
        blank=True,
        help_text=_("If none is chosen, the channel gets all alerts and alarms, but no messages about runs."),
    )
    is_default = models.BooleanField(
        _("default"),
        default=False,
        help_text=_(
            "For jobs for which neither the job nor its group has a channel, and for alarms about the scheduler."
        ),
    )
    send_output = models.BooleanField(
        _("send output"), default=False, help_text=_("Email and ping: with the last 50 lines of the run's output.")
    )

    is_about_runs = models.BooleanField(default=False, editable=False)  #: derived: whether it gets ``run.*``

    objects = UniqueNameManager()

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def natural_key(self) -> tuple[str]:
        return (self.name,)

    def clean(self) -> None:
        super().clean()
        validate_channel(self)

    @property
    def key(self) -> str:
        """Its name in the outbox. It stays when the channel is renamed."""
        return f"channel:{self.pk}"

    @property
    def masked_target(self) -> str:
        """The target, without the parts that may be secret."""
        return masked_target(self.kind, self.target)

    @property
    def is_check_in(self) -> bool:
        return self.kind in CHECK_IN_KINDS

    def accepts_event(self, event: str) -> bool:
        """Whether it gets messages about this event. PagerDuty always gets the end of a problem, to close its
        incident."""
        if self.is_check_in:
            return event in _CHECK_IN_EVENTS
        if self.kind == ChannelKind.PAGERDUTY and event in PROBLEM_END_EVENTS:
            return True
        return event in (_event_names(self.events) or PROBLEM_EVENTS)


def _event_names(events: Any) -> Collection[str]:
    return events if isinstance(events, list) else ()


@receiver(pre_save, sender=Channel)
def set_derived_channel_fields(instance: Channel, **kwargs: Any) -> None:
    """Set the derived fields before each save, also in ``loaddata``."""
    instance.is_about_runs = any(instance.accepts_event(event) for event in (RUN_STARTED_EVENT, *RUN_EVENTS.values()))


class FailingChannel(models.Model):
    """A channel whose last message or test failed. Messages wait until ``deferred_until``; success deletes the row."""

    channel = models.CharField(primary_key=True, max_length=100)  #: as in the outbox
    failures = models.PositiveIntegerField(default=0)
    since = models.DateTimeField()
    deferred_until = models.DateTimeField()
    error = models.CharField(max_length=300, blank=True)

    objects = WriteDatabaseManager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.channel
