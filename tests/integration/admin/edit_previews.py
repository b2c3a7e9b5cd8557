"""The preview beside the form of a job, as a script reads it."""

from __future__ import annotations

import re

from django.test import Client
from django.urls import reverse

from chroniker.models import Job

FIELDS = {
    "frequency": "CRON", "cron": "", "params": "", "run_at_0": "", "run_at_1": "", "timezone": "UTC",
    "dst_gap": "RUN", "dst_fold": "FIRST", "jitter_seconds": "0", "overlap": "WAIT", "has_enabled": "1", "enabled": "1",
}  # fmt: skip


def fragments(client: Client, job: Job | None = None, **changes: str) -> dict[str, str]:
    """The HTML of each part of the form that depends on its values."""
    values = {**FIELDS, **changes, **({"job": str(job.pk)} if job else {})}
    return dict(client.get(reverse("admin:chroniker_job_preview"), values).json()["html"])


def preview(client: Client, job: Job | None = None, **changes: str) -> str:
    """The HTML of the preview."""
    return fragments(client, job, **changes)["edit-preview"]


def cron_meanings(client: Client, cron: str) -> list[str]:
    return re.findall(r"</code>(.*?)</li>", fragments(client, cron=cron)["edit-cron"])


def remarks(html: str) -> list[str]:
    return re.findall(r'data-part="remark">(.*?)</p>', html)


def error(html: str) -> str:
    found = re.search(r'data-part="error">(.*?)</p>', html)
    return found[1] if found else ""


def rows(html: str) -> list[list[str]]:
    """The texts of the table."""
    found = re.findall(r"<tr>(.*?)</tr>", html.split("<tbody>")[1].split("</tbody>")[0], re.DOTALL)
    return [[re.sub(r"<.*?>", "", cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row)] for row in found]


def effects(html: str) -> list[tuple[str, str, str]]:
    """Tone, text and explanation of each effect."""
    found = re.findall(r'<li data-tone="(\w+)">.*?<b>(.*?)</b>(?:<span class="why">(.*?)</span>)?', html, re.DOTALL)
    return [(tone, text, re.sub(r"<.*?>", "", why).strip()) for tone, text, why in found]
