"""Rules for the arguments of commands that their parsers cannot check. An app registers one rule for each command."""

from __future__ import annotations

from collections.abc import Callable, Sequence

#: Why a command would refuse these words; empty if it accepts them. It must not run the command.
ArgumentRule = Callable[[Sequence[str]], str]

_rules: dict[str, ArgumentRule] = {}


def register(command: str, rule: ArgumentRule) -> None:
    """Register the rule of a command. Call it in ``AppConfig.ready``.

    The rule is applied when a job is saved, declared or imported, and before a run by hand.
    """
    _rules[command] = rule


def find_argument_problem(command: str, words: Sequence[str]) -> str:
    """Why the command would refuse these words; empty if it accepts them, or has no rule."""
    rule = _rules.get(command)
    return rule(words) if rule is not None else ""
