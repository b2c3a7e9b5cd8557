"""The app: registers checks and signals, and passes the project's set-up to command processes."""

from __future__ import annotations

import os

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from chroniker.process.command_start import PROJECT_SETUP_VARIABLE


class ChronikerConfig(AppConfig):
    name = "chroniker"
    verbose_name = _("Scheduled jobs")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chroniker import checks, monitors
        from chroniker.conf import settings
        from chroniker.declared.after_migrate import sync_after_migrate
        from chroniker.job_commands import argument_rules

        checks.register_system_checks()
        argument_rules.register("check_monitor", monitors.argument_error)
        if settings.command_setup:
            os.environ[PROJECT_SETUP_VARIABLE] = settings.command_setup  # command processes inherit it
        post_migrate.connect(sync_after_migrate, sender=self, dispatch_uid="chroniker.sync_jobs")
