"""Validation of a job before it is saved from a form. Every message names the error and a correct form."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from chroniker import monitors, schedule
from chroniker.conf import settings
from chroniker.escaping import has_control_characters, shortened
from chroniker.exceptions import CommandRefused, ScheduleError
from chroniker.job_commands import argument_rules, environment, policy
from chroniker.models.host import EVERY_HOST
from chroniker.models.job_fields import JobFields
from chroniker.models.run_status import CatchUp, Overlap

#: Seconds: 366 days.
MAX_CATCH_UP_SECONDS = 366 * 86_400

Errors: TypeAlias = dict[str, str | ValidationError]

#: Code of an error in the arguments that a rule of their command found.
ARGUMENT_RULE_ERROR_CODE = "argument_rule"


def validate_job(job: JobFields) -> None:
    """Raises one ``ValidationError`` with all errors, by field."""
    errors: Errors = {}
    if has_control_characters(job.name):
        errors["name"] = _("The name must be one line of text without control characters.")
    _check_command(job, errors)
    _check_templates(job, errors)
    _check_environment(job, errors)
    _check_schedule(job, errors)
    _check_catch_up(job, errors)
    if job.executor not in settings.executors:
        known = ", ".join(sorted(settings.executors))
        errors["executor"] = _("There is no executor “%(name)s”; the executors are: %(known)s.") % {
            "name": shortened(job.executor),
            "known": known,
        }
    if job.hostname != EVERY_HOST and set(job.hostname) & set(",; \t*?"):
        text = _("“%(given)s” is not a host name: give one name, or * for every live host, or leave the field empty.")
        errors["hostname"] = text % {"given": shortened(job.hostname)}
    if errors:
        raise ValidationError(errors)


def _check_command(job: JobFields, errors: Errors) -> None:
    if bool(job.command) == bool(job.raw_command.strip()):
        both = _("Give a management command or a raw command, not both.")
        errors["command"] = both if job.command else _("Give a management command or a raw command.")
        return
    field = "command" if job.command else "raw_command"
    try:
        if job.command:
            policy.management_argv(job.command, "")
            field = "args"
            words = policy.management_argv(job.command, job.args)[1:]
            if refusal := argument_rules.find_argument_problem(job.command, words):
                errors["args"] = ValidationError(refusal, code=ARGUMENT_RULE_ERROR_CODE)
        else:
            policy.raw_argv(job.raw_command)
            if job.args.strip():
                errors["args"] = _("Write the arguments of a raw command in the raw command itself.")
    except CommandRefused as error:
        errors[field] = str(error)


def _check_templates(job: JobFields, errors: Errors) -> None:
    for field in ("monitor_url", "monitor_error_template"):
        template = getattr(job, field)
        if problem := monitors.find_template_error(
            template, monitors.template_values(job), is_url=field == "monitor_url"
        ):
            errors[field] = problem


def _check_environment(job: JobFields, errors: Errors) -> None:
    validators: dict[str, Callable[[], object]] = {
        "environment": lambda: environment.parse_variables(job.environment),
        "secrets": lambda: environment.parse_secrets(job.secrets),
        "working_directory": lambda: environment.parse_working_directory(job.working_directory),
    }
    for field, validate_field in validators.items():
        try:
            validate_field()
            if field == "secrets" and "environment" not in errors:
                environment.refuse_duplicate_names(job.environment, job.secrets)
        except CommandRefused as error:
            errors[field] = str(error)


def _check_catch_up(job: JobFields, errors: Errors) -> None:
    """One run for each scheduled time: the backlog must be bounded, and no run of it may skip or stop the others."""
    if job.catch_up != CatchUp.EACH:
        return
    words = {"each": CatchUp.EACH.label}
    if not 1 <= (job.misfire_grace_seconds or 0) <= MAX_CATCH_UP_SECONDS:
        text = _("The catch-up “%(each)s” needs a misfire grace from 1 second to 366 days: it limits the backlog.")
        errors["misfire_grace_seconds"] = text % words
    if job.overlap != Overlap.WAIT:
        text = _(
            "The catch-up “%(each)s” needs the overlap “wait”: otherwise its first run would skip or stop the others."
        )
        errors["overlap"] = text % words


def _check_schedule(job: JobFields, errors: Errors) -> None:
    try:
        schedule.validate_schedule(job.spec)
    except ScheduleError as error:
        errors[error.field] = str(error)
