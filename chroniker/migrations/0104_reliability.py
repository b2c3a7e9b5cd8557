from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import F


def the_present_schedules(apps: Any, schema_editor: Any) -> None:
    """Of a timeline that was booked before this migration, only what follows is known to come from one schedule."""
    states = apps.get_model("chroniker", "JobState")._default_manager.using(schema_editor.connection.alias)
    states.exclude(booked_spec="").update(last_spec=F("booked_spec"), spec_since=F("accounted_until"))


class Migration(migrations.Migration):
    dependencies = [
        ("chroniker", "0103_deletion_after_a_run"),
    ]

    operations = [
        migrations.AddField(
            model_name="jobstate",
            name="last_spec",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Like the above, and kept while the job is disabled.",
                max_length=64,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="jobstate",
            name="spec_since",
            field=models.DateTimeField(
                help_text="All instants after this moment were given by the schedule of that fingerprint.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="runevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("REFUSED_DELIVERY", "delivery refused"),
                    ("ZOMBIE_REPORT", "report without the lease"),
                    ("STOP_ASKED", "stop asked"),
                    ("LATE_OUTCOME", "late outcome"),
                    ("LOST", "lost"),
                    ("NOTE", "note"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddIndex(
            model_name="runevent",
            index=models.Index(fields=["kind", "at"], name="chroniker_event_kind_at"),
        ),
        migrations.RunPython(the_present_schedules, migrations.RunPython.noop),
    ]
