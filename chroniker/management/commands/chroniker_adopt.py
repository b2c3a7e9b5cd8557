from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.management.console import SYSTEM_CHECK_TAGS, explain_database_errors
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import installation
from chroniker.models.audit import command_actor
from chroniker.scheduler import adoption
from chroniker.scheduler.adoption import AdoptionChoices

#: Option, choices (the first one is the default), and what the choice is about.
ADOPTION_QUESTIONS = (
    ("missed", ("skip", "run"), "jobs with due scheduled times, retries, activations or backfills"),
    ("queued", ("stop", "run"), "queued runs"),
    ("messages", ("discard", "send"), "unsent messages"),
)


class Command(ConsoleCommand):
    help = (
        "Lets jobs run in a copy of a database: one that was cloned, or restored from a backup. Raises the tokens of "
        "all jobs, so that none is used twice, and asks what to do with due jobs, queued runs and unsent messages. "
        "Exit status 1 if this database is no copy, or without answers."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        for name, choices, about in ADOPTION_QUESTIONS:
            text = f"{about}: {choices[0]} or {choices[1]} (default: ask if there are any)"
            parser.add_argument(f"--{name}", choices=choices, help=text)
        parser.add_argument(
            "--moved",
            action="store_true",
            help="the same database after an upgrade or a move of its server: run and send all of it, without asking",
        )
        parser.add_argument(
            "--noinput",
            "--no-input",
            action="store_false",
            dest="interactive",
            help="do not ask: skip, stop and discard, unless an option says otherwise",
        )

    def handle(self, *, interactive: bool, moved: bool, **options: Any) -> None:
        with explain_database_errors():
            if not installation.select_switch_if_copied().exists():
                raise CommandError("This database is no copy; there is nothing to adopt.")
            found = adoption.count_work_awaiting_adoption()
            answers = {
                name: options[name]
                or (
                    choices[1]
                    if moved
                    else self._ask_adoption_question(about, getattr(found, name), choices, interactive)
                )
                for name, choices, about in ADOPTION_QUESTIONS
            }
            skip, stop, discard = (answers[name] == choices[0] for name, choices, _about in ADOPTION_QUESTIONS)
            adoption.adopt_database(command_actor("chroniker_adopt"), AdoptionChoices(skip, stop, discard))
        self.stdout.write("Adopted. Jobs run here from the next tick on. Runs that were running end as lost.")

    def _ask_adoption_question(self, about: str, number: int, choices: tuple[str, str], interactive: bool) -> str:
        if not number or not interactive:
            return choices[0]
        question = f"{about.capitalize()}: {number}."
        if not sys.stdin.isatty():
            raise CommandError(f"{question} This is no terminal: give --noinput, or an option for each answer.")
        while True:
            answer = input(f"{question} {choices[0]} or {choices[1]}? [{choices[0]}] ").strip().lower() or choices[0]
            matching = [choice for choice in choices if choice.startswith(answer)]
            if len(matching) == 1:
                return matching[0]
