"""One mail: about a run to a subscriber, or about an alarm."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.core import mail
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.mail import EmailMessage
from django.template import Context, Engine
from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.exceptions import MessageUndeliverable
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import Outbox, Run, Status, Stream, Trigger
from chroniker.outbox.admin_links import absolute_url, run_link
from chroniker.outbox.channels import ERROR_STATUSES, MAIL_ADDRESS_KIND
from chroniker.outbox.output_tail import last_lines, read_tail
from chroniker.wording.formats import zoned_time

#: Seconds to wait for a mail server where the project sets no ``EMAIL_TIMEOUT``. Django's default is no limit.
MAIL_SERVER_TIMEOUT_SECONDS = 10.0
#: How much of each output stream a mail shows, counted from the stream's end.
MAX_CHARACTERS, MAX_LINES = 8000, 50
MAX_SUBJECT_LENGTH = 200


def prepare_sending(message: Outbox) -> Callable[[], None]:
    """The function that sends it with the project's mail backend, and raises the errors of the backend."""
    kind, _colon, user_id = message.channel.partition(":")
    address = str(message.payload["to"]) if kind == MAIL_ADDRESS_KIND else _address_of_user(user_id)
    if message.run is None:
        return partial(send_mail, _subject_line(str(message.payload["title"])), str(message.payload["text"]), [address])
    words = template_variables(message.run)
    return partial(send_mail, mail_subject(words), run_mail_text(words), [address])


def run_mail_text(variables: dict[str, Any]) -> str:
    """The text of a mail about a run. ``variables``: of ``template_variables``."""
    text = template_engine().get_template("chroniker/mail.txt").render(Context(variables, autoescape=False))
    return mask_secrets(text, variables["job"].secrets)


def mail_subject(variables: dict[str, Any]) -> str:
    """The subject on one line, whatever the job's name: a line break here could inject a mail header."""
    error = variables["run"].status in ERROR_STATUSES
    template = settings.email_subject_error if error else settings.email_subject_success
    text = template_engine().from_string(template).render(Context(variables, autoescape=False))
    return _subject_line(mask_secrets(text, variables["job"].secrets))


def _subject_line(text: str) -> str:
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line[:MAX_SUBJECT_LENGTH]


def template_engine() -> Engine:
    """The project's template engine. A project without pages has none: then an engine with our template."""
    try:
        return Engine.get_default()
    except ImproperlyConfigured:
        return Engine(app_dirs=True, libraries={"i18n": "django.templatetags.i18n"})


def template_variables(run: Run) -> dict[str, Any]:
    """The variables for the templates of subject and text."""
    return {
        "job": run.job,
        "run": run,
        "outcome": _("missed") if run.is_missed else str(Status(run.status).label),
        "trigger": str(Trigger(run.trigger).label),
        "times": {name: zoned_time(getattr(run, name)) for name in _TIME_FIELDS},
        "duration": _run_duration(run),
        "url": run_link(run),
        "runbook": absolute_url(run.job.runbook),
        "output": [
            (name, text) for name, stream in _STREAMS_BY_NAME.items() if (text := _read_last_output_lines(run, stream))
        ],
    }


_TIME_FIELDS = ("scheduled_for", "covered_until", "started_at", "finished_at")
_STREAMS_BY_NAME = {"stdout": Stream.STDOUT, "stderr": Stream.STDERR, "remarks": Stream.REMARK}


def _read_last_output_lines(run: Run, stream: Stream) -> str:
    return last_lines(read_tail(run.pk, stream, MAX_CHARACTERS), MAX_LINES)


def _run_duration(run: Run) -> dt.timedelta | None:
    if run.started_at is None or run.finished_at is None:
        return None
    return dt.timedelta(seconds=round((run.finished_at - run.started_at).total_seconds()))


def _address_of_user(user_id: str) -> str:
    """The user's address. Read again for each attempt: users leave, and addresses change."""
    model = get_user_model()
    try:
        user = model._default_manager.filter(pk=user_id).first()
    except (ValueError, ValidationError):
        user = None
    address = user and str(getattr(user, model.get_email_field_name()) or "")
    if user is None or not user.is_active or not address:
        raise MessageUndeliverable("The subscriber was deleted, is inactive, or has no e-mail address.")
    return address


def send_mail(title: str, text: str, to: list[str]) -> None:
    """Send one mail with the project's mail backend. ``title`` is one line."""
    # RFC 3834: no out-of-office replies
    message = EmailMessage(title, text, settings.email_sender, to, headers={"Auto-Submitted": "auto-generated"})
    mailers = getattr(mail, "mailers", None)  # Django 6.1 and later
    connection: Any = mailers.default if mailers is not None else mail.get_connection()
    if getattr(connection, "timeout", MAIL_SERVER_TIMEOUT_SECONDS) is None:
        connection.timeout = MAIL_SERVER_TIMEOUT_SECONDS
    connection.send_messages([message])
