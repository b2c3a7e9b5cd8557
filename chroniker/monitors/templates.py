"""Renders the templates of a monitor: its URL and its error text.

Anybody who may edit a job writes these templates, and they are rendered in web processes. So they have an engine with a
few tags and filters (``safe_template_library``), no template files, and plain values instead of model instances. The
size of the result and the number of steps are limited. The result is plain text, which a page must escape.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

from django.template import Context, Engine
from django.utils.translation import gettext as _

from chroniker.exceptions import MonitorError
from chroniker.monitors.render_limits import apply_budget_to_nodes, limit_rendering

TAG_LIBRARY = "chroniker.monitors.template_tags"
ALLOWED_SCHEMES = ("", "http", "https")
#: Characters of a template. Django needs quadratic time to parse many unclosed tags.
MAX_TEMPLATE_LENGTH = 5_000
#: Characters of one value that a template may use.
MAX_TEMPLATE_VALUE_LENGTH = 20_000


class MonitorTemplateFields(Protocol):
    """The attributes of a job that its templates can show."""

    pk: Any
    name: str
    monitor_description: str


class _SafeEngine(Engine):
    default_builtins: ClassVar[list[str]] = ["chroniker.monitors.safe_template_library"]


def template_values(job: MonitorTemplateFields) -> dict[str, Any]:
    """The variables of a monitor's templates, also with the names of django-chroniker."""
    description = job.monitor_description
    names = {"id": job.pk or 0, "name": job.name, "monitor_description_safe": description}
    return {"job": names, "description": description}


@cache
def _monitor_template_engine() -> Engine:
    return _SafeEngine(
        loaders=[],
        libraries={"chroniker_tags": TAG_LIBRARY},  # for {% load chroniker_tags %} in old templates
        builtins=[TAG_LIBRARY],
    )


def render(template: str, values: Mapping[str, Any]) -> str:
    """The plain text. Raises ``MonitorError`` if the template is invalid or exceeds a limit."""
    if len(template) > MAX_TEMPLATE_LENGTH:
        message = _("The template has %(n)d characters; at most %(max)d are allowed.")
        raise MonitorError(message % {"n": len(template), "max": MAX_TEMPLATE_LENGTH})
    # Not escaped: the text goes into logs and mails, and a page escapes it.
    context = Context({name: _truncate_value(value) for name, value in values.items()}, autoescape=False)
    try:
        compiled = _monitor_template_engine().from_string(template)
        apply_budget_to_nodes(compiled.nodelist)
        with limit_rendering():
            text = compiled.render(context)
    except Exception as error:  # tags and filters may raise anything
        raise MonitorError(_("The template is not valid: %(error)s") % {"error": error}) from error
    return text + ""  # an ordinary string instead of a SafeString


def _truncate_value(value: Any) -> Any:
    if isinstance(value, str):
        return value[:MAX_TEMPLATE_VALUE_LENGTH]
    if isinstance(value, dict):
        return {name: _truncate_value(each) for name, each in value.items()}
    return [_truncate_value(each) for each in value] if isinstance(value, list) else value


def render_url(template: str, values: Mapping[str, Any]) -> str:
    """A URL for a link. Raises ``MonitorError``, also for a URL that runs a script."""
    url = "".join(character for character in render(template, values) if character.isprintable()).strip()
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError as error:
        raise MonitorError(_("“%(url)s” is not a URL: %(error)s.") % {"url": url, "error": error}) from None
    if scheme not in ALLOWED_SCHEMES:
        message = _("“%(url)s” is not a URL of a page: begin it with https://, http:// or a slash.")
        raise MonitorError(message % {"url": url})
    return url


def find_template_error(template: str, values: Mapping[str, Any], *, is_url: bool = False) -> str:
    """Why the template cannot be rendered; empty if it can."""
    try:
        (render_url if is_url else render)(template, values)
    except MonitorError as error:
        return str(error)
    return ""
