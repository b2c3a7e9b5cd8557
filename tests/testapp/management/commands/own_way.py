from __future__ import annotations

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _


class Command(BaseCommand):
    help = _("Help over two\nlines.")

    def run_from_argv(self, argv: list[str]) -> None:
        print(argv)
