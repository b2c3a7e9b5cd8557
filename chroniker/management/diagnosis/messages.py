"""The check of channels: those whose last message failed, and whether alarms have a recipient."""

from __future__ import annotations

from chroniker.lifecycle.alarms import tick_alarm_has_recipients
from chroniker.management.console import local_time_text
from chroniker.management.diagnosis.finding import MAX_NAMES_PER_MESSAGE, FindingLevel, Findings
from chroniker.models import Channel, FailingChannel
from chroniker.outbox.channels import DATABASE_CHANNEL_KIND, configured_webhooks


def diagnose_channels() -> Findings:
    names = {channel.key: f"“{channel.name}”" for channel in Channel.objects.all()}
    names |= {
        hook.channel: f"“{hook.channel.rpartition(':')[0]}” of CHRONIKER_WEBHOOKS" for hook in configured_webhooks()
    }
    failing = [row for row in FailingChannel.objects.order_by("since") if row.channel in names]
    for row in failing[:MAX_NAMES_PER_MESSAGE]:
        text = f"The channel {names[row.channel]} has failed since {local_time_text(row.since)}: {row.error}"
        advice = "Correct it, then send a test on its page, or with manage.py channels --test NAME."
        yield (
            FindingLevel.WARNING,
            text,
            advice if row.channel.startswith(DATABASE_CHANNEL_KIND) else "Correct the setting, or the server.",
        )
    if not tick_alarm_has_recipients():
        text = "No address, webhook or channel gets a message when nothing ticks, or when a queue has no worker."
        advice = "Set ADMINS or CHRONIKER_ALARM_EMAILS, or add a default channel."
        yield FindingLevel.WARNING, text, advice
    elif not failing:
        yield FindingLevel.OK, f"{len(names)} are known; none fails.", ""
