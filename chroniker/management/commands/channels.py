from __future__ import annotations

import json as json_module
from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.management.console import SYSTEM_CHECK_TAGS, explain_database_errors, local_time_text
from chroniker.management.table import table_lines
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import Channel, FailingChannel
from chroniker.outbox import channel_test

TABLE_HEADER = ("name", "kind", "target", "events", "default", "state")


class Command(ConsoleCommand):
    help = (
        "Lists channels: where messages about alerts go. Targets are masked. With --json one object per line: name, "
        "kind, target, events, default, error (of the last message, or null), since (its first failure, or null). With "
        "--test: sends a test; exit status 1 if it was not delivered, and the list then shows the error."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--test", metavar="NAME", help="send a test to this channel")
        parser.add_argument("--json", action="store_true", help="one JSON object per line, for programs")

    def handle(self, *, test: str | None, json: bool, **options: Any) -> None:
        with explain_database_errors():
            if test is not None:
                self._send_test(test)
                return
            failing = {row.channel: row for row in FailingChannel.objects.all()}
            channels = [(channel, failing.get(channel.key)) for channel in Channel.objects.all()]
        if json:
            for channel, row in channels:
                self.stdout.write(_as_json(channel, row))
        else:
            lines = list(table_lines([_table_row(channel, row) for channel, row in channels], TABLE_HEADER))
            self.stdout.write("\n".join(lines) if channels else "No channels.")

    def _send_test(self, name: str) -> None:
        channel = Channel.objects.filter(name=name).first()
        if channel is None:
            raise CommandError(f"There is no channel named “{name}”.")
        if error := channel_test.send_test_and_record_result(channel):
            raise CommandError(f"The test was not delivered. {error}")
        self.stdout.write(f"The test was delivered to “{name}”.")


def _table_row(channel: Channel, failing: FailingChannel | None) -> tuple[str, ...]:
    events = ", ".join(channel.events) or ("start and end of runs" if channel.is_check_in else "alerts and alarms")
    state = "no failure" if failing is None else f"has failed since {local_time_text(failing.since)}: {failing.error}"
    return channel.name, channel.kind, channel.masked_target, events, "yes" if channel.is_default else "", state


def _as_json(channel: Channel, failing: FailingChannel | None) -> str:
    return json_module.dumps(
        {
            "name": channel.name,
            "kind": channel.kind,
            "target": channel.masked_target,
            "events": channel.events,
            "default": channel.is_default,
            "error": failing and failing.error,
            "since": failing and failing.since.isoformat(),
        },
        ensure_ascii=False,
    )
