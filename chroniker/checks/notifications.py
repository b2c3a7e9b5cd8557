"""Notifications about runs: the callback, webhooks, and templates of mail subjects."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.checks import CheckMessage, Error
from django.template import TemplateSyntaxError
from django.utils.module_loading import import_string

from chroniker.conf import settings
from chroniker.outbox.channels import parse_webhook
from chroniker.outbox.mail import template_engine

WEBHOOKS_EXAMPLE = '[{"URL": "https://example.com/hook", "SECRET": "whsec_…", "EVENTS": ["run.failed", "run.lost"]}]'


def check_notifications(**kwargs: Any) -> list[CheckMessage]:
    """Reports E030, E031, E032."""
    return [*_check_callback(), *_check_webhooks(), *_check_mail_subjects()]


def _check_callback() -> list[CheckMessage]:
    path = settings.job_error_callback
    if path is None or path == "":
        return []
    try:
        if not callable(import_string(path)):
            raise TypeError("it is not callable")
    except Exception as error:  # any exception of the project's module
        hint = "Give the dotted path of a function that takes job, stdout and stderr: “shop.alarms.job_failed”."
        message = f"CHRONIKER_JOB_ERROR_CALLBACK = {path!r} cannot be used: {error}"
        return [Error(message, hint=hint, id="chroniker.E030")]
    return []


def _check_webhooks() -> list[CheckMessage]:
    entries: object = settings.webhooks
    if not isinstance(entries, list | tuple):
        return [_malformed_setting_error(f"CHRONIKER_WEBHOOKS is of the type {type(entries).__name__}, not a list.")]
    read = [parse_webhook(entry) for entry in entries]
    # The entries contain secrets and are not shown.
    found = [
        _malformed_setting_error(f"CHRONIKER_WEBHOOKS[{n}] {said}.")
        for n, said in enumerate(read)
        if isinstance(said, str)
    ]
    urls = Counter(hook.url for hook in read if not isinstance(hook, str))
    found += [
        _malformed_setting_error("CHRONIKER_WEBHOOKS names one URL twice; it gets each message once.")
        for n in urls.values()
        if n > 1
    ]
    return found


def _malformed_setting_error(message: str) -> CheckMessage:
    return Error(message, hint=f"Write it like {WEBHOOKS_EXAMPLE}.", id="chroniker.E031")


def _check_mail_subjects() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for name, text in (
        ("CHRONIKER_EMAIL_SUBJECT_ERROR", settings.email_subject_error),
        ("CHRONIKER_EMAIL_SUBJECT_SUCCESS", settings.email_subject_success),
    ):
        try:
            template_engine().from_string(text)
        except TemplateSyntaxError as error:
            message = f"{name} is not a valid Django template: {error}"
            hint = "Write it like “Error: {{ job.name }} ({{ outcome }})”."
            found.append(Error(message, hint=hint, id="chroniker.E032"))
    return found
