"""The kinds of channels."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ChannelKind(models.TextChoices):
    MAIL = "MAIL", _("email")
    WEBHOOK = "WEBHOOK", _("webhook")
    SLACK = "SLACK", _("Slack")
    TEAMS = "TEAMS", _("Microsoft Teams")
    PAGERDUTY = "PAGERDUTY", _("PagerDuty")
    JSON = "JSON", _("JSON of your own")
    PING = "PING", _("ping (healthchecks.io and others)")
    SENTRY = "SENTRY", _("Sentry check-in")


#: Kinds that get the start and the end of each run, and no alerts: the service itself notices a missing message.
CHECK_IN_KINDS = frozenset({ChannelKind.PING, ChannelKind.SENTRY})
#: Kinds whose messages may have the end of the run's output.
CHANNEL_KINDS_WITH_OUTPUT = frozenset({ChannelKind.MAIL, ChannelKind.PING})
#: Kinds that have a secret beside the target.
CHANNEL_KINDS_WITH_SECRET = frozenset({ChannelKind.WEBHOOK, ChannelKind.PAGERDUTY})
#: Where PagerDuty takes events. Accounts in the EU have another address.
PAGERDUTY_ADDRESS = "https://events.pagerduty.com/v2/enqueue"
#: In the address of a ping: the job's name in letters, digits and hyphens.
SLUG_PLACEHOLDER = "{slug}"
