"""The table of hosts on the page of a run on every host."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chroniker.admin.shared.cells import Cell
from chroniker.admin.shared.live_refresh import cell_name, cells_json
from chroniker.admin.shared.run_cells import run_cells
from chroniker.admin.shared.site_links import admin_url
from chroniker.models import EVERY_HOST, Run

COLUMNS = ("status", "started", "duration", "reason")


def rows(run: Run, now: dt.datetime) -> list[dict[str, Any]]:
    """One row per host, for the template. One statement; none for other runs."""
    return [
        {
            "host": child.required_host,
            "url": admin_url("chroniker_run_change", child.pk),
            "cells": [cell.html(cell_name("run", child.pk, column)) for column, cell in _cells(child, now).items()],
        }
        for child in _children(run)
    ]


def updates(run: Run, now: dt.datetime) -> dict[str, Any]:
    """The same cells for the page's refresh."""
    cells: dict[str, Any] = {}
    for child in _children(run):
        cells |= cells_json("run", child.pk, _cells(child, now))
    return cells


def _children(run: Run) -> list[Run]:
    return list(run.children.order_by("required_host")) if run.required_host == EVERY_HOST else []


def _cells(child: Run, now: dt.datetime) -> dict[str, Cell]:
    cells = run_cells(child, now)
    return {column: cells[column] for column in COLUMNS}
