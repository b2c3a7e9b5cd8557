"""The choice *What does it run?* above the command of a job: a command, a program, or what an app offers.

A script draws it. Without the script the form has the fields of the command, its arguments and the raw command.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from django.utils.translation import gettext as _

from chroniker.exceptions import CommandRefused
from chroniker.job_commands import policy
from chroniker.job_commands.pickers import Picker, pickers


def command_choice_as_json(command: str, args: str) -> str:
    """The values for the script, as JSON: texts, and the present arguments of each picker's command."""
    allowed = [picker for picker in pickers() if policy.denial_reason(picker.command) is None]
    return json.dumps(
        {
            "legend": _("What does it run?"),
            "command": _("Management command"),
            "program": _("Program"),
            "pickers": [_picker_context(picker, args if command == picker.command else "") for picker in allowed],
        }
    )


def _picker_context(picker: Picker, args: str) -> dict[str, Any]:
    return {
        "command": picker.command,
        "label": str(picker.label),
        "call": _split_picker_arguments(picker, args),
        "texts": {
            "name": str(picker.label),
            "args": _("Positional arguments"),
            "kwargs": _("Keyword arguments"),
            "others": _("Other options"),
            "argsHelp": _("A list in JSON: %(example)s") % {"example": '["a", 1]'},
            "kwargsHelp": _("An object in JSON: %(example)s") % {"example": '{"full": true}'},
            "othersHelp": str(picker.options_help),
            "unknown": _("This project has nothing with that name."),
        },
    }


def _split_picker_arguments(picker: Picker, args: str) -> dict[str, str] | None:
    """The parts of the arguments; ``None`` if the script must not change the arguments."""
    if not args.strip():
        return {"name": "", "args": "", "kwargs": "", "others": ""}
    try:
        call = picker.parse_words(policy.split_words(args, ""))
    except CommandRefused:
        return None
    if call is None:
        return None
    return {"name": call.name, "args": call.args, "kwargs": call.kwargs, "others": shlex.join(call.others)}
