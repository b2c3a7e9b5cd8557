"""Masks the values of a job's secrets in texts that pages show: command lines, environments, error lines."""

from __future__ import annotations

import os

from django.conf import settings as django_settings

from chroniker.exceptions import CommandRefused
from chroniker.job_commands.environment import SecretSource, parse_secrets

MASK_TEXT = "••••••"
#: A shorter value is not masked: it would be found by accident in many texts, and its mask would reveal the value.
MIN_MASKED_LENGTH = 4


def mask_secrets(text: str, secret_lines: str) -> str:
    """The text with each secret's value replaced.

    Limit: it knows the values that this process can read. A variable that only the worker has stays as it is.
    """
    if not text or not secret_lines:
        return text
    for value in secret_values(secret_lines):
        text = text.replace(value, MASK_TEXT)
    return text


def mask_variable_values(lines: str) -> str:
    """``NAME=value`` lines with every value replaced. A line without a name is replaced as a whole."""
    return "\n".join(_mask_value(line) for line in lines.splitlines())


def _mask_value(line: str) -> str:
    name, equals, value = line.partition("=")
    if not line.strip() or (equals and not value):
        return line
    return f"{name}={MASK_TEXT}" if equals and name.strip().isidentifier() else MASK_TEXT


def secret_values(secret_lines: str) -> list[str]:
    """The values that this process can read, the longest first, because one may contain another."""
    try:
        sources = parse_secrets(secret_lines).values()
    except CommandRefused:  # written by older code, or without the model's validation
        return []
    values = {value for source in sources if isinstance(value := _read_secret(source), str)}
    return sorted((value for value in values if len(value) >= MIN_MASKED_LENGTH), key=len, reverse=True)


def _read_secret(source: SecretSource) -> object:
    if source.kind == "env":
        return os.environ.get(source.name)
    return getattr(django_settings, source.name, None)
