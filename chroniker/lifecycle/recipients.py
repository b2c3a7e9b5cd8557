"""The channels of jobs: the channels of the job, or else those of its group, or else the default channels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, Q

from chroniker.models import Channel, Group, Job
from chroniker.models.channel_kind import CHECK_IN_KINDS

ChannelIdsByOwner = Mapping[Any, Collection[int]]


@dataclass(frozen=True, slots=True)
class Recipients:
    """The channels of some jobs."""

    channels: Mapping[int, Channel]
    channel_ids_by_job: ChannelIdsByOwner = field(default_factory=dict)
    channel_ids_by_group: ChannelIdsByOwner = field(default_factory=dict)

    def channels_for(self, job_id: int | None, group_id: int | None, event: str) -> list[Channel]:
        """The channels that get messages about this event of the job.

        Pings and check-ins are chosen separately: a job with its own ping still sends alerts to the default channels.
        """
        found: list[Channel] = []
        for is_check_in in (False, True):
            for ids in (self.channel_ids_by_job.get(job_id, ()), self.channel_ids_by_group.get(group_id, ()), None):
                chosen = (
                    self._default_channels()
                    if ids is None
                    else [self.channels[pk] for pk in ids if pk in self.channels]
                )
                if chosen := [channel for channel in chosen if channel.is_check_in == is_check_in]:
                    found += chosen
                    break
        return [channel for channel in found if channel.accepts_event(event)]

    def _default_channels(self) -> list[Channel]:
        return [channel for channel in self.channels.values() if channel.is_default]


def load_default_recipients() -> Recipients:
    """The default channels alone. One statement."""
    return Recipients({channel.pk: channel for channel in Channel.objects.filter(is_default=True)})


def load_recipients(job_ids: Collection[int], group_ids: Iterable[int | None]) -> Recipients:
    """The channels of these jobs and groups. One statement without any channel, else at most three."""
    channels = {channel.pk: channel for channel in Channel.objects.all()}
    if not channels:
        return Recipients({})
    groups = {group_id for group_id in group_ids if group_id is not None}
    return Recipients(
        channels,
        _read_channel_ids_by_owner(Job.channels.through._default_manager.filter(job__in=job_ids), "job_id"),
        _read_channel_ids_by_owner(Group.channels.through._default_manager.filter(group__in=groups), "group_id")
        if groups
        else {},
    )


def _read_channel_ids_by_owner(rows: Any, owner: str) -> ChannelIdsByOwner:
    found: dict[int, list[int]] = defaultdict(list)
    for owner_id, channel_id in rows.order_by("pk").values_list(owner, "channel_id"):
        found[owner_id].append(channel_id)
    return found


def run_has_channels_condition(job: str, group: str, *, check_ins_only: bool = False) -> Exists:
    """Condition for a query of runs: whether a channel may get messages about the run. ``job``, ``group``: columns.

    It is part of a statement that is needed in any case. So a run without such a channel needs no further statement.
    """
    of_job = Job.channels.through._default_manager.filter(channel=OuterRef("pk"), job=OuterRef(OuterRef(job)))
    of_group = Group.channels.through._default_manager.filter(channel=OuterRef("pk"), group=OuterRef(OuterRef(group)))
    chosen = Channel.objects.filter(Q(is_default=True) | Exists(of_job) | Exists(of_group), is_about_runs=True)
    return Exists(chosen.filter(kind__in=CHECK_IN_KINDS) if check_ins_only else chosen)
