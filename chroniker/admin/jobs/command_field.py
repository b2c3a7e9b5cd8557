"""The form fields for a job's command and arguments: a searchable list of commands, and the help of the chosen one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django import forms
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from chroniker.admin.shared.json_view import json_view
from chroniker.admin.shared.site_links import admin_url
from chroniker.exceptions import CommandLoadError, CommandRefused
from chroniker.job_commands import catalogue, options, pickers


class CommandInput(forms.TextInput):
    """A text field that suggests the allowed commands. A script turns the suggestions into a list grouped by app.

    The field also accepts other names, because the page must still show a command that the project no longer has.
    """

    def __init__(self, attrs: dict[str, Any], choice_json: str) -> None:
        """``choice_json``: the result of ``what_runs.command_choice_as_json``."""
        super().__init__(attrs)
        self._choice_json = choice_json

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        list_id = f"{name}-offers"
        own = {"list": list_id, "autocomplete": "off", "spellcheck": "false"}
        field = super().render(name, value, {**(attrs or {}), **own}, renderer)
        rows = (
            (offer.name, offer.app, offer.help, _suggestion_text(offer)) for offer in catalogue.available_commands()
        )
        options = format_html_join("", '<option value="{}" data-app="{}" data-help="{}">{}</option>', rows)
        return format_html(
            '<span class="chroniker-choice" data-none="{}" data-label="{}" data-what-runs="{}">{}'
            '<datalist id="{}">{}</datalist></span>',
            _("No matching command. The search covers names, apps and help texts."),
            _("Commands"),
            self._choice_json,
            field,
            list_id,
            options,
        )


def _suggestion_text(command: catalogue.AvailableCommand) -> str:
    return f"{command.app}: {command.help}" if command.help else command.app


class ArgumentsInput(forms.Textarea):
    """The text field for the arguments, with the help and the options of the chosen command beside it."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        return format_html(
            '{}<div id="chroniker-command" class="chroniker-command" role="status" data-url="{}" data-failed="{}"'
            ' data-options="{}" data-common="{}"></div>',
            super().render(name, value, attrs, renderer),
            admin_url("chroniker_job_command"),
            _("No response from the server."),
            _("Arguments and options"),
            _("Common options"),
        )


@json_view
def command_help_view(job_admin: Any, request: HttpRequest) -> dict[str, Any]:
    """``?name=``: the help and options of this command.

    Needs the permission to add or change jobs, because it imports the command's code.
    """
    if not (job_admin.has_add_permission(request) or job_admin.has_change_permission(request)):
        raise PermissionDenied
    return describe_command(request.GET.get("name", ""))


def describe_command(command_name: str) -> dict[str, Any]:
    """The help and the options of a command, or the error as text. Imports the command's code."""
    if not command_name or len(command_name) > 200:
        raise BadRequest("name must be the name of a command.")
    try:
        found = options.describe_command(command_name)
    except (CommandRefused, CommandLoadError) as problem:
        return {"error": str(problem)}
    picked = [asdict(offer) for offer in pickers.choices_of_command(command_name)]
    return {"help": found.help, "options": [_option_context(option) for option in found.options], "offers": picked}


def _option_context(option: options.Option) -> dict[str, Any]:
    notes = [_("required")] if option.required else []
    if option.default:
        notes.append(_("default: %(value)s") % {"value": option.default})
    return {**asdict(option), "note": ", ".join(notes)}


def parser_error(command: str, args: str) -> str | None:
    """Why the command's parser would refuse these arguments.

    ``None`` if it would accept them, or if the command is not allowed.
    """
    try:
        return options.parser_error(command, args)
    except CommandRefused:
        return None
