"""What ``check_monitor`` asks: which records need attention. Knows no jobs; asks any model of the project."""

from chroniker.monitors.arguments import add_arguments, question, refusal
from chroniker.monitors.findings import Finding, findings
from chroniker.monitors.rendering import about, problem, rendered, rendered_url

__all__ = [
    "Finding",
    "about",
    "add_arguments",
    "findings",
    "problem",
    "question",
    "refusal",
    "rendered",
    "rendered_url",
]
