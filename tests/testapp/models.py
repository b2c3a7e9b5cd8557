"""The tables that the examples of docs/how-to/fencing.md write to."""

from __future__ import annotations

from django.db import models


class Account(models.Model):
    balance = models.IntegerField()

    def __str__(self) -> str:
        return f"account {self.pk}"


class Report(models.Model):
    name = models.CharField(max_length=50, unique=True)
    token = models.BigIntegerField(default=0)
    text = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.name
