"""The contents of a message, for every kind of channel: taken from the frozen body of the message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import AlertKind, Outbox, Run, Status
from chroniker.models.message_events import ALERT_DIGEST_EVENT, ALERT_RECOVERED_EVENT, PROBLEM_END_EVENTS, RUN_EVENTS
from chroniker.outbox import admin_links

#: The test of a channel.
CHANNEL_TEST_EVENT = "channel.test"
#: Kinds of alerts and statuses whose severity is not "error".
_SEVERITY_BY_KIND: Mapping[str, str] = {
    **dict.fromkeys(("late", "slow", "missed", "STOPPED", "SKIPPED"), "warning"),
    **dict.fromkeys(("SUCCEEDED", ""), "info"),
    **dict.fromkeys(("scheduler", "queue"), "critical"),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """``body``: the body of a webhook. ``title``: one line. ``text``: any number of lines."""

    message_id: str
    event: str
    title: str
    text: str
    body: Mapping[str, Any]
    subject: str  #: identifies the trouble: the same when it begins and when it ends
    kind: str = ""  #: the kind of the alert, or the status of the run
    job_id: int | None = None
    job: str = ""
    owner: str = ""
    runbook: str = ""
    url: str = ""
    run: Run | None = None

    @property
    def is_recovery(self) -> bool:
        return self.event in PROBLEM_END_EVENTS

    @property
    def severity(self) -> str:
        """One of PagerDuty's words: critical, error, warning or info."""
        return "info" if self.is_recovery else _SEVERITY_BY_KIND.get(self.kind, "error")

    @property
    def timestamp(self) -> str:
        return str(self.body.get("timestamp") or "")


def notice_of_message(message: Outbox) -> Notice:
    """The notice of this message, whose run and alert were read with it."""
    body = message.body
    event = message.event or str(body.get("type", ""))
    if message.run is not None:
        return _notice_of_run(message, message.run, event, body)
    if message.alert is not None:
        return _notice_of_alert(message, event, body)
    if event == ALERT_DIGEST_EVENT:
        return _notice_of_digest(message, body)
    return _notice_of_alarm(message, event, body)


def notice_of_test(channel: str) -> Notice:
    """The message of the button “Send a test”."""
    title = _("Test of the channel “%(name)s”") % {"name": channel}
    body = {"type": CHANNEL_TEST_EVENT, "timestamp": None, "data": {"text": title}}
    return Notice("test", CHANNEL_TEST_EVENT, title, _("Someone sent this test message from chroniker."), body, "test")


def make_recovery_notice(notice: Notice) -> Notice:
    """The notice of a test again, as an end."""
    return replace(notice, event=ALERT_RECOVERED_EVENT)


def site_host() -> str:
    """The host of the pages of this installation; empty if it is not configured."""
    return urlsplit(admin_links.absolute_url("/")).hostname or ""


def _notice_of_run(message: Outbox, run: Run, event: str, body: dict[str, Any]) -> Notice:
    status = next((each for each, name in RUN_EVENTS.items() if name == event), "RUNNING")
    words = {"job": run.job.name, "token": run.token, "status": str(Status(status).label)}
    reason = mask_secrets(run.error_line or run.reason, run.job.secrets)
    return Notice(
        message_id=str(message.message_id),
        event=event,
        title=_one_line(_("%(job)s: run %(token)s %(status)s") % words),
        text=reason,
        body=body,
        subject=f"{run.job_id}/run",
        kind=status,
        job_id=run.job_id,
        job=run.job.name,
        owner=run.job.owner,
        runbook=admin_links.absolute_url(run.job.runbook),
        url=admin_links.run_link(run),
        run=run,
    )


def _notice_of_alert(message: Outbox, event: str, body: dict[str, Any]) -> Notice:
    data = body.get("data", {})
    alert, job = data.get("alert", {}), data.get("job") or {}
    kind, job_id = str(alert.get("kind", "")), job.get("id")
    url = admin_links.job_link(job_id) if job_id else ""
    return Notice(
        message_id=str(message.message_id),
        event=event,
        title=_alert_title(str(job.get("name", "")), kind, is_recovery=event == ALERT_RECOVERED_EVENT),
        text=str(alert.get("text", "")),
        body={**body, "data": {**data, "url": url}},
        subject=f"{job_id or 'fleet'}/{kind}",
        kind=kind,
        job_id=job_id,
        job=str(job.get("name", "")),
        owner=str(job.get("owner", "")),
        runbook=admin_links.absolute_url(str(job.get("runbook_url", ""))),
        url=url,
    )


def _alert_title(job: str, kind: str, *, is_recovery: bool) -> str:
    label = str(AlertKind(kind).label) if kind in AlertKind.values else kind
    words = {"job": job, "kind": label}
    return _one_line((_("%(job)s: no longer “%(kind)s”") if is_recovery else _("%(job)s: %(kind)s")) % words)


def _notice_of_digest(message: Outbox, body: dict[str, Any]) -> Notice:
    data = body.get("data", {})
    count, named = int(data.get("count", 0)), data.get("alerts", [])
    lines = [_title_of_entry(each) for each in named]
    if count > len(lines):
        lines.append(ngettext("and %(n)d more", "and %(n)d more", count - len(lines)) % {"n": count - len(lines)})
    title = ngettext("%(n)d alert", "%(n)d alerts", count) % {"n": count}
    url = admin_links.start_page_link()
    body = {**body, "data": {**data, "url": url}}
    return Notice(str(message.message_id), ALERT_DIGEST_EVENT, title, "\n".join(lines), body, "digest", url=url)


def _title_of_entry(entry: Mapping[str, Any]) -> str:
    job, alert = entry.get("job") or {}, entry.get("alert") or {}
    return _alert_title(
        str(job.get("name", "")), str(alert.get("kind", "")), is_recovery=entry.get("type") == ALERT_RECOVERED_EVENT
    )


def _notice_of_alarm(message: Outbox, event: str, body: dict[str, Any]) -> Notice:
    data = body.get("data", body)  # a mail has the texts alone
    return Notice(
        message_id=str(message.message_id),
        event=event,
        title=_one_line(str(data.get("title", ""))),
        text=str(data.get("text", "")),
        body=body,
        subject=f"fleet/{data.get('subject', '')}",
        kind=event.partition(".")[0],
        url=admin_links.fleet_link(),
    )


def _one_line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:200]
