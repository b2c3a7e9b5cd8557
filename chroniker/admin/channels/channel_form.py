"""The form of a channel. It shows target and secret masked; a field that is submitted masked keeps its stored value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.text import capfirst, format_lazy
from django.utils.translation import gettext_lazy as _

from chroniker.models import AlertKind, Channel, ChannelKind, Status
from chroniker.models.channel_target import MASK_TEXT, masked_secret
from chroniker.models.message_events import ALERT_RECOVERED_EVENT, RUN_EVENTS

if TYPE_CHECKING:
    ChannelModelForm = forms.ModelForm[Channel]
else:
    ChannelModelForm = forms.ModelForm


#: The events of each group, in words.
EVENT_LABELS_BY_GROUP: tuple[tuple[Any, dict[str, Any]], ...] = (
    (
        _("Alerts about jobs"),
        {
            **{f"alert.{kind}": kind.label for kind in AlertKind},
            ALERT_RECOVERED_EVENT: _("no longer open"),
        },
    ),
    (
        _("Alarms about the scheduler"),
        {
            "scheduler.silent": _("nothing ticks"),
            "scheduler.back": _("a process ticks again"),
            "queue.silent": _("no worker consumes a queue"),
            "queue.back": _("the queue has a worker again"),
        },
    ),
    (
        _("Ends of runs"),
        {
            event: AlertKind.MISSED.label if status == Status.SKIPPED else Status(status).label
            for status, event in RUN_EVENTS.items()
        },
    ),
)


def event_labels_text(events: Any) -> str:
    """The events by group, such as “Ends of runs: failed, lost”. Empty if the stored value is not a list."""
    names = events if isinstance(events, list) else []
    groups = [
        (title, [str(each) for event, each in words.items() if event in names])
        for title, words in EVENT_LABELS_BY_GROUP
    ]
    return "; ".join(f"{title}: {', '.join(words)}" for title, words in groups if words)


#: The choices by group. Each label ends with the event's name, as in messages and in the documentation.
EVENT_CHOICES = [
    (title, [(event, format_lazy("{words} ({event})", words=each, event=event)) for event, each in words.items()])
    for title, words in EVENT_LABELS_BY_GROUP
]


class ChannelForm(ChannelModelForm):
    events = forms.MultipleChoiceField(
        choices=EVENT_CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("If none is chosen, the channel gets all alerts and alarms, but no messages about runs."),
    )

    class Meta:
        model = Channel
        fields = ("name", "kind", "target", "secret", "template", "events", "is_default", "send_output")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "events" in self.fields:
            self.fields["events"].label = capfirst(Channel._meta.get_field("events").verbose_name)
        self._stored = {"target": self.instance.target, "secret": self.instance.secret}
        if self.instance.pk:
            self.initial.update(self.mask_target_and_secret(self._stored, self.instance.kind))
        for name in self._stored:
            if name in self.fields:
                self.fields[name].widget.attrs |= {
                    "class": "vLargeTextField",
                    "autocomplete": "off",
                    "spellcheck": "false",
                }

    @staticmethod
    def mask_target_and_secret(values: dict[str, Any], kind: str) -> dict[str, str]:
        channel = Channel(kind=kind, target=values.get("target") or "")
        return {"target": channel.masked_target, "secret": masked_secret(values.get("secret") or "")}

    def clean_target(self) -> str:
        return self._stored_value_unless_edited("target")

    def clean_secret(self) -> str:
        """Refuse a masked integration key if the target changes: the stored key would be sent to the new address."""
        new = (self.cleaned_data.get("kind"), self.cleaned_data.get("target"))
        is_masked = bool(self.instance.pk) and self.cleaned_data["secret"] == MASK_TEXT
        if is_masked and new[0] == ChannelKind.PAGERDUTY and new != (self.instance.kind, self._stored["target"]):
            raise forms.ValidationError(_("Enter the integration key again: the address it is sent to has changed."))
        return self._stored_value_unless_edited("secret")

    def _stored_value_unless_edited(self, field_name: str) -> str:
        value: str = self.cleaned_data[field_name]
        return (
            self._stored[field_name] if self.instance.pk and value and value == self.initial.get(field_name) else value
        )

    def mask_values_for_history(self) -> None:
        """Mask target, secret and template of a saved form for the change history. Do not save the form after this."""
        if "target" in self.cleaned_data:
            self.cleaned_data |= self.mask_target_and_secret(self.cleaned_data, self.cleaned_data.get("kind") or "")
            self.cleaned_data["template"] = self.initial["template"] = MASK_TEXT  # it may contain a key
