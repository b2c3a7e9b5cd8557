"""Mails of a channel: about runs, alerts and alarms, to addresses, users, and the owner of the job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from chroniker.exceptions import MessageUndeliverable
from chroniker.models.channel_validation import split_recipients
from chroniker.outbox import mail
from chroniker.outbox.notice import Notice


def prepare_sending(target: str, notice: Notice, *, with_output: bool) -> Callable[[], None]:
    """The function that sends one mail to all recipients. Raises ``MessageUndeliverable`` if there is none."""
    try:
        to = _recipient_addresses(split_recipients(target), notice.owner)
    except ValidationError:  # its text repeats a part of the target, which may be the value of a secret setting
        raise MessageUndeliverable(_("A part of the target is not an e-mail address, user:NAME or owner.")) from None
    if notice.run is not None:
        words = mail.template_variables(notice.run)
        words["output"] = words["output"] if with_output else []
        return partial(mail.send_mail, mail.mail_subject(words), mail.run_mail_text(words), to)
    return partial(mail.send_mail, notice.title, mail_text(notice), to)


def mail_text(notice: Notice) -> str:
    parts = [notice.text]
    if notice.owner:
        parts.append(_("Owner: %(owner)s") % {"owner": notice.owner})
    if notice.runbook:
        parts.append(_("Runbook: %(url)s") % {"url": notice.runbook})
    parts.append(notice.url)
    return "\n\n".join(filter(None, parts))


def _recipient_addresses(parts: Sequence[str], owner: str) -> list[str]:
    """Each address once. Users are read for each attempt: they leave, and their addresses change."""
    names = [part.removeprefix("user:") for part in parts if part.startswith("user:")]
    found = [part for part in parts if part != "owner" and not part.startswith("user:")]
    found += _addresses_of_users(names) if names else []
    if "owner" in parts and _is_address(owner):
        found.append(owner)
    if not found:
        raise MessageUndeliverable(
            _(
                "There is no recipient: the target names no active user with an address, and no owner whose text "
                "is an e-mail address."
            )
        )
    return list(dict.fromkeys(found))


def _addresses_of_users(names: Sequence[str]) -> list[str]:
    model = get_user_model()
    users: Any = model._default_manager.filter(**{f"{model.USERNAME_FIELD}__in": names})
    email = model.get_email_field_name()
    return [str(address) for user in users if user.is_active and (address := getattr(user, email, ""))]


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
