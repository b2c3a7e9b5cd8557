"""The JSON template of a channel: read as JSON first, then placeholders in its texts are filled in.

So no value can change the structure of the JSON. A template has only placeholders: it cannot compute or read anything
else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

#: The names of placeholders.
PLACEHOLDER_NAMES = (
    *("event", "title", "text", "severity", "timestamp", "job", "job_id", "kind", "status"),
    *("owner", "runbook_url", "run", "url", "id"),
)
MAX_TEMPLATE_DEPTH = 20
#: Characters of one filled text, and of all of them.
MAX_TEXT_LENGTH, MAX_TOTAL_LENGTH = 10_000, 100_000

_PLACEHOLDER_PATTERN = re.compile(r"\{\{\s*([^{}]{0,60}?)\s*\}\}")


def parse_template(text: str) -> Any:
    """The template as a JSON value. Raises ``ValidationError`` if it is not valid."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValidationError(_("This is not valid JSON: %(error)s") % {"error": str(error)[:200]}) from None
    if not isinstance(found, dict | list):
        raise ValidationError(_('The template must be a JSON object or array, like {"text": "{{ text }}"}.'))
    fill_template(found, dict.fromkeys(PLACEHOLDER_NAMES, ""))
    return found


def fill_template(template: Any, values: Mapping[str, str]) -> Any:
    """The template with the values in its texts. Raises ``ValidationError`` for a placeholder that does not exist."""
    left = [MAX_TOTAL_LENGTH]

    def filled(part: Any, depth: int) -> Any:
        if depth > MAX_TEMPLATE_DEPTH:
            raise ValidationError(_("The template is nested more than %(n)d levels deep.") % {"n": MAX_TEMPLATE_DEPTH})
        if isinstance(part, dict):
            return {key: filled(each, depth + 1) for key, each in part.items()}
        if isinstance(part, list):
            return [filled(each, depth + 1) for each in part]
        if not isinstance(part, str):
            return part
        text = _PLACEHOLDER_PATTERN.sub(lambda found: _placeholder_value(found[1], values), part)[:MAX_TEXT_LENGTH][
            : left[0]
        ]
        left[0] -= len(text)
        return text

    return filled(template, 1)


def _placeholder_value(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        text = _("{{ %(name)s }} is not a placeholder; the placeholders are: %(names)s.")
        raise ValidationError(text % {"name": name, "names": ", ".join(PLACEHOLDER_NAMES)})
    return values[name][:MAX_TEXT_LENGTH]
