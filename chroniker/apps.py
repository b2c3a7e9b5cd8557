from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ChronikerConfig(AppConfig):
    name = "chroniker"
    verbose_name = _("Scheduled jobs")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chroniker import checks
        from chroniker.declared.after_migrate import sync_after_migrate

        checks.register()
        post_migrate.connect(sync_after_migrate, sender=self, dispatch_uid="chroniker.sync_jobs")
