"""The help of a command in the form of a job, read from its source without running it."""

from __future__ import annotations

import pytest
from django.core.management import get_commands
from django.core.management.base import BaseCommand

from chroniker.job_commands import catalogue
from tests.support.declared_app import Shop


class Command(BaseCommand):
    help = "Of a class that no app has."


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ('help = """Counts\n  the shops."""', "Counts the shops."),
        ('help = "Counts the shops."', "Counts the shops."),
        ('help = ("Counts " "the shops.")', "Counts the shops."),
        ('help = _("Counts the shops.")', "Counts the shops."),
        ('help: str = "Counts the shops."', "Counts the shops."),
        ("help = __doc__", "Of the module."),
        ("help: str", ""),
        ("help = str(7)", ""),
        ('helps = "Counts the shops."', ""),
        ("help = ", ""),
    ],
)
def test_the_text_is_that_of_the_class(shop: Shop, statement: str, text: str) -> None:
    shop.write(
        "management/commands/report.py", f'"""Of the module."""\n\n\nclass Command(BaseCommand):\n    {statement}\n'
    )
    assert catalogue.read_static_help("report") == text


def test_a_command_without_a_source_in_an_app_has_no_text(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.command("report", "")
    assert "report" in get_commands()
    (shop.root / shop.name / "management" / "commands" / "report.py").unlink()
    assert catalogue.read_static_help("report") == ""
    monkeypatch.setitem(get_commands(), "shaped", Command())
    assert catalogue.read_static_help("shaped") == ""
    assert catalogue.read_static_help("check") == "Checks the entire Django project for potential problems."
