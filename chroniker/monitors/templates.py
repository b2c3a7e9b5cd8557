"""A monitor's own templates: its URL and its error text.

They are rendered by an engine of their own: no files to include, no tags of the project's apps, and nothing to see but
the few plain values they are given. What comes out is text; whoever puts it into a page escapes it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.template import Context, Engine
from django.utils.translation import gettext as _

from chroniker.exceptions import MonitorError

TAGS = "chroniker.templatetags.chroniker_tags"
SCHEMES = ("", "http", "https")
#: Characters of a template: Django takes time by their square to read one with unclosed tags.
LONGEST = 5_000


class Described(Protocol):
    """A job, as far as its templates are concerned."""

    pk: Any
    name: str
    monitor_description: str


def template_values(job: Described) -> dict[str, Any]:
    """What a monitor's templates may know of it: plain values, not the record, under the ancestor's names too."""
    description = job.monitor_description
    names = {"id": job.pk or 0, "name": job.name, "monitor_description_safe": description}
    return {"job": names, "description": description}


@cache
def _engine() -> Engine:
    return Engine(
        loaders=[],
        libraries={"chroniker_tags": TAGS},  # the ancestor's users may have written {% load %}
        builtins=[TAGS],
    )


def render(template: str, values: Mapping[str, Any]) -> str:
    """Plain text. Raises ``MonitorError`` with what is wrong with the template."""
    if len(template) > LONGEST:
        said = _("The template has %(n)d characters; at most %(most)d are allowed.")
        raise MonitorError(said % {"n": len(template), "most": LONGEST})
    # For a log or a mail as it is; in a page it is escaped when it gets there, and should not be so twice.
    context = Context(dict(values), autoescape=False)
    try:
        text = _engine().from_string(template).render(context)
    except Exception as error:  # a template can call whatever its filters and tags do
        raise MonitorError(_("The template is not right: %(error)s") % {"error": error}) from error
    return text + ""  # the sum of a safe string and an ordinary one is an ordinary one


def render_url(template: str, values: Mapping[str, Any]) -> str:
    """An address to link to. Raises ``MonitorError``, also where following it would run a script."""
    url = "".join(character for character in render(template, values) if character.isprintable()).strip()
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError as error:
        raise MonitorError(_("“%(url)s” is no address: %(error)s.") % {"url": url, "error": error}) from None
    if scheme not in SCHEMES:
        right = _("“%(url)s” is no link to a page: begin it with https://, http:// or a slash.")
        raise MonitorError(right % {"url": url})
    return url


def template_error(template: str, values: Mapping[str, Any], *, is_url: bool = False) -> str:
    """What is wrong with the template; empty: nothing."""
    try:
        (render_url if is_url else render)(template, values)
    except MonitorError as error:
        return str(error)
    return ""
