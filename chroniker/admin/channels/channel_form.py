"""The form of a channel. Target and secret are shown masked; a field that is sent back masked keeps its value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.text import capfirst, format_lazy
from django.utils.translation import gettext_lazy as _

from chroniker.models import AlertKind, Channel, ChannelKind, Status
from chroniker.models.channel_target import MASK, shown_secret
from chroniker.models.message_events import RECOVERED, RUN_EVENTS

if TYPE_CHECKING:
    ChannelModelForm = forms.ModelForm[Channel]
else:
    ChannelModelForm = forms.ModelForm


#: The events of each group, in words.
EVENT_WORDS: tuple[tuple[Any, dict[str, Any]], ...] = (
    (
        _("Alerts about jobs"),
        {
            **{f"alert.{kind}": kind.label for kind in AlertKind},
            RECOVERED: _("no longer open"),
        },
    ),
    (
        _("Alarms about the scheduler"),
        {
            "scheduler.silent": _("nothing ticks"),
            "scheduler.back": _("it ticks again"),
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


def events_in_words(chosen: Any) -> str:
    """By group, such as “Ends of runs: failed, lost”. Empty for a stored value that is no list."""
    names = chosen if isinstance(chosen, list) else []
    groups = [(title, [str(each) for event, each in words.items() if event in names]) for title, words in EVENT_WORDS]
    return "; ".join(f"{title}: {', '.join(words)}" for title, words in groups if words)


#: With the names that messages and the documentation have.
EVENT_CHOICES = [
    (title, [(event, format_lazy("{words} ({event})", words=each, event=event)) for event, each in words.items()])
    for title, words in EVENT_WORDS
]


class ChannelForm(ChannelModelForm):
    events = forms.MultipleChoiceField(
        choices=EVENT_CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Choose none for all alerts and alarms, and no runs."),
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
            self.initial.update(self.masked(self._stored, self.instance.kind))
        for name in self._stored:
            if name in self.fields:
                self.fields[name].widget.attrs |= {
                    "class": "vLargeTextField",
                    "autocomplete": "off",
                    "spellcheck": "false",
                }

    @staticmethod
    def masked(values: dict[str, Any], kind: str) -> dict[str, str]:
        channel = Channel(kind=kind, target=values.get("target") or "")
        return {"target": channel.shown_target, "secret": shown_secret(values.get("secret") or "")}

    def clean_target(self) -> str:
        return self._restore_if_masked("target")

    def clean_secret(self) -> str:
        """A key that is sent with each message is not kept for another address: its owner would read a masked key."""
        new = (self.cleaned_data.get("kind"), self.cleaned_data.get("target"))
        is_masked = bool(self.instance.pk) and self.cleaned_data["secret"] == MASK
        if is_masked and new[0] == ChannelKind.PAGERDUTY and new != (self.instance.kind, self._stored["target"]):
            raise forms.ValidationError(_("Write the integration key again, because it goes to another address."))
        return self._restore_if_masked("secret")

    def _restore_if_masked(self, name: str) -> str:
        value: str = self.cleaned_data[name]
        return self._stored[name] if self.instance.pk and value and value == self.initial.get(name) else value

    def mask_for_history(self) -> None:
        """Replace target and secret in what the history shows of a saved form. The form cannot be saved again."""
        if "target" in self.cleaned_data:
            self.cleaned_data |= self.masked(self.cleaned_data, self.cleaned_data.get("kind") or "")
            self.cleaned_data["template"] = self.initial["template"] = MASK  # it may contain a key
