"""The start and the end of a run: pings, as of healthchecks.io, and check-ins of Sentry."""

from __future__ import annotations

import hashlib
from urllib.parse import quote, urlsplit

from django.utils.text import slugify

from chroniker.models.channel_kind import SLUG_PLACEHOLDER
from chroniker.models.message_events import RUN_EVENTS, RUN_STARTED_EVENT
from chroniker.outbox.checked_request import OutgoingRequest
from chroniker.outbox.kinds.endpoint import Endpoint, json_request
from chroniker.outbox.notice import CHANNEL_TEST_EVENT, Notice

MAX_SLUG_LENGTH = 50
#: The body of a ping: healthchecks.io keeps 100 KB.
MAX_BODY_BYTES = 50_000


def ping_request(notice: Notice, endpoint: Endpoint) -> OutgoingRequest:
    """``URL/start``, ``URL``, ``URL/EXIT_STATUS`` or ``URL/fail``; a test is ``URL/log``, which changes nothing."""
    parts = urlsplit(endpoint.target.replace(SLUG_PLACEHOLDER, slug_of_name(notice.job or "chroniker-test")))
    queries = [parts.query] if parts.query else []
    if notice.run is not None:
        queries.append(f"rid={notice.run.pk}")
    path = parts.path.rstrip("/") + _url_suffix(notice)
    url = parts._replace(path=path or "/", query="&".join(queries), fragment="").geturl()
    body = "\n".join(filter(None, [notice.text, endpoint.output]))
    return OutgoingRequest(
        url, body.encode(errors="replace")[-MAX_BODY_BYTES:], {"Content-Type": "text/plain; charset=utf-8"}
    )


def _url_suffix(notice: Notice) -> str:
    if notice.event == CHANNEL_TEST_EVENT:
        return "/log"
    if notice.event == RUN_STARTED_EVENT:
        return "/start"
    if notice.event == RUN_EVENTS["SUCCEEDED"]:
        return ""
    status = notice.run.exit_code if notice.run else None
    return f"/{status}" if status is not None and 1 <= status <= 255 else "/fail"


def sentry_request(notice: Notice, endpoint: Endpoint) -> OutgoingRequest:
    """A check-in to ``/api/PROJECT/cron/SLUG/KEY/``, where the target is the DSN ``https://KEY@HOST/PROJECT``."""
    parts = urlsplit(endpoint.target)
    before, _slash, project = parts.path.rstrip("/").rpartition("/")
    monitor = quote(slug_of_name(notice.job or "chroniker-test"))
    host = (parts.netloc or "").rpartition("@")[2]
    url = f"{parts.scheme}://{host}{before}/api/{project}/cron/{monitor}/{quote(parts.username or '')}/"
    body: dict[str, object] = {"status": _sentry_status(notice.event)}
    run = notice.run
    if run is not None:
        body["check_in_id"] = run.pk.hex
        if run.started_at and run.finished_at and notice.event != RUN_STARTED_EVENT:
            body["duration"] = round((run.finished_at - run.started_at).total_seconds(), 3)
    return json_request(url, body)


def _sentry_status(event: str) -> str:
    if event == RUN_STARTED_EVENT:
        return "in_progress"
    return "ok" if event in (RUN_EVENTS["SUCCEEDED"], CHANNEL_TEST_EVENT) else "error"


def slug_of_name(name: str) -> str:
    """The name in ASCII letters, digits and hyphens. A longer one is cut and gets six digits of its digest."""
    digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:6]
    short = slugify(name) or f"job-{digest}"
    return short if len(short) <= MAX_SLUG_LENGTH else f"{short[: MAX_SLUG_LENGTH - 7].rstrip('-')}-{digest}"
