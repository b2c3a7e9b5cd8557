from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.test import override_settings

from chroniker.checks import CHECK_TAG

URL = "https://example.com/hook"
HOOK = {"URL": URL, "SECRET": "s3cret"}


def problems(**settings: Any) -> list[CheckMessage]:
    with override_settings(**settings):
        return run_checks(tags=[CHECK_TAG], databases=[])  # Django 6.1 would add all databases


@pytest.mark.parametrize(
    "settings",
    [
        {"CHRONIKER_JOB_ERROR_CALLBACK": "os.path.join"},
        {"CHRONIKER_WEBHOOKS": [HOOK]},
        {"CHRONIKER_WEBHOOKS": [{**HOOK, "EVENTS": []}]},
        {"CHRONIKER_CHANNEL_HOSTS": ["chat.internal", "10.1.0.0/16", "::1"]},
        {"CHRONIKER_WEBHOOKS": ({**HOOK, "SECRET": "whsec_c2VjcmV0", "EVENTS": ["run.lost"]},)},
        {"CHRONIKER_BASE_URL": "https://jobs.example.com"},
        {"CHRONIKER_EMAIL_SENDER": "jobs@example.com", "CHRONIKER_EMAIL_HOST_USER": "smtp@example.com"},
        {"CHRONIKER_EMAIL_SUBJECT_ERROR": "{{ job.name|upper }}"},
    ],
)
def test_valid_settings_are_accepted(settings: dict[str, Any]) -> None:
    assert problems(**settings) == []


@pytest.mark.parametrize("path", ["shop.nowhere.at_all", "os.path.sep", "nonsense"])
def test_a_callback_that_cannot_be_called_is_named(path: str) -> None:
    [message] = problems(CHRONIKER_JOB_ERROR_CALLBACK=path)
    assert message.id == "chroniker.E030" and path in message.msg and message.hint


@pytest.mark.parametrize(
    ("webhooks", "expected"),
    [
        (URL, "str, not a list"),
        ([URL], "[0] is not a dictionary"),
        ([HOOK, {**HOOK, "URL": "ftp://example.com"}], "[1] has a URL"),
        ([{**HOOK, "URL": "https://"}], "has a URL"),
        ([{**HOOK, "URL": "https://example.com/a b"}], "has a URL"),
        ([{**HOOK, "URL": "https://example.com:port/"}], "has a URL"),
        ([{"URL": URL}], "has a SECRET"),
        ([{**HOOK, "SECRET": "whsec_not base64"}], "has a SECRET"),
        ([{**HOOK, "SECRET": ""}], "has a SECRET"),
        ([{**HOOK, "EVENTS": "run.failed"}], "has EVENTS"),
        ([{**HOOK, "EVENTS": ["run.fialed"]}], "has EVENTS"),
        ([{**HOOK, "EVENT": ["run.failed"]}], "'EVENT', which nothing reads"),
        ([HOOK, HOOK], "one URL twice"),
    ],
)
def test_the_message_for_a_malformed_webhook_shows_a_valid_example(webhooks: Any, expected: str) -> None:
    [message] = problems(CHRONIKER_WEBHOOKS=webhooks)
    assert message.id == "chroniker.E031" and expected in message.msg
    assert message.hint and "SECRET" in message.hint and "s3cret" not in str(message)


@pytest.mark.parametrize("name", ["CHRONIKER_EMAIL_SUBJECT_ERROR", "CHRONIKER_EMAIL_SUBJECT_SUCCESS"])
def test_a_subject_that_is_not_a_template_is_named(name: str) -> None:
    [message] = problems(**{name: "Error: {% if %}"})
    assert message.id == "chroniker.E032" and name in message.msg


def test_the_base_url_of_links_must_be_a_web_address() -> None:
    [message] = problems(CHRONIKER_BASE_URL="jobs.example.com")
    assert message.id == "chroniker.E007"
