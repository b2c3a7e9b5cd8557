from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = ()

    operations = (
        migrations.CreateModel(
            name="BeatEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(editable=False, max_length=64, unique=True)),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                ("task", models.CharField(max_length=200, verbose_name="task")),
                (
                    "schedule",
                    models.CharField(
                        help_text="As the beat that started last has it in its settings.",
                        max_length=200,
                        verbose_name="schedule",
                    ),
                ),
                (
                    "served_until",
                    models.DateTimeField(
                        help_text="Its scheduled times until then were sent, by the clock of the database.",
                        verbose_name="accounted for until",
                    ),
                ),
                ("sent_at", models.DateTimeField(null=True, verbose_name="last sent")),
            ],
            options={
                "verbose_name": "beat entry",
                "verbose_name_plural": "beat entries",
                "ordering": ("name", "key"),
                "default_permissions": ("view", "delete"),
            },
        ),
    )
