"""The dates and times of the job form are in the time zone of the job, not of the project."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from chroniker.exceptions import ScheduleError
from chroniker.models import Job
from chroniker.schedule.zones import zone

if TYPE_CHECKING:
    JobModelForm = forms.ModelForm[Job]
else:
    JobModelForm = object

TIME_FIELDS = ("run_at", "starts_at", "ends_at")


@contextmanager
def use_time_zone(zone_name: str) -> Iterator[None]:
    """Parse and show times in this time zone, or in the current one if there is no such zone."""
    try:
        tz = zone(zone_name)
    except ScheduleError:
        yield
        return
    with timezone.override(tz):
        yield


class TimesInJobZoneMixin(JobModelForm):
    """Mixin of the job form. Its initial values are naive times in the job's zone. The widgets show them unchanged."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone_name = str(self.initial.get("timezone") or self.instance.timezone)
        with use_time_zone(zone_name):
            for name in TIME_FIELDS:
                value = self.initial.get(name)
                if isinstance(value, dt.datetime) and timezone.is_aware(value):
                    self.initial[name] = timezone.make_naive(value)
                if name in self.fields:
                    self.fields[name].help_text = _("In the time zone of the job.")

    @property
    def _submitted_time_zone(self) -> str:
        name = self.add_prefix("timezone")
        return str(self.data.get(name) if "timezone" in self.fields and name in self.data else self.instance.timezone)

    def full_clean(self) -> None:
        with use_time_zone(self._submitted_time_zone):
            super().full_clean()

    @cached_property
    def changed_data(self) -> list[str]:
        """The changed fields. If the time zone changed, the times also changed: equal local times are other moments."""
        names = list(super().changed_data)
        if "timezone" in names:
            names += [
                name for name in TIME_FIELDS if name in self.fields and self.initial.get(name) and name not in names
            ]
        return names

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in TIME_FIELDS:
            value = cleaned.get(name)
            if isinstance(value, dt.datetime) and timezone.is_naive(value):  # unchanged: the initial value
                cleaned[name] = getattr(self.instance, name)
        return cleaned
