"""The jobs of the shop: what they run, when, and how long they usually take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: Group to limit.
GROUPS = {
    "Billing": None, "Imports": 2, "Mail": None, "Maintenance": 1, "Monitors": None, "Nightly reports": 2,
    "Search": None, "Warehouse": 2,
}  # fmt: skip
#: Tags of the jobs of a group.
TAGS = {"Imports": ("etl",), "Warehouse": ("etl", "nightly"), "Nightly reports": ("nightly",), "Billing": ("audited",)}


@dataclass(frozen=True)
class ShopJob:
    """``usual``: seconds that it takes. ``fails``: the share of its runs that fail."""

    name: str
    group: str
    cron: str
    usual: float
    queue: str = ""
    fails: float = 0.004
    after: tuple[str, ...] = ()
    when_ended: tuple[str, ...] = ()
    enabled: bool = True
    is_monitor: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "command": "takes",
            "args": f"{self.name.split()[-1].lower()} --verbosity 1",
            "cron": self.cron,
            "queue": self.queue,
            "enabled": self.enabled,
            "is_monitor": self.is_monitor,
            "max_retries": 1 if self.fails > 0.1 else 0,
            "timeout_seconds": 3600 if self.usual > 60 else None,
        }


JOBS = (
    ShopJob("Import supplier orders", "Imports", "5 * * * *", 31, fails=0.06),
    ShopJob("Settle card payments", "Billing", "*/4 * * * *", 2.4, "billing", fails=0.12),
    ShopJob("Synchronise images", "Imports", "*/20 * * * *", 205, "heavy"),
    ShopJob("Train recommendations", "Search", "30 9 * * *", 5400, "gpu"),
    ShopJob("Archive orders", "Warehouse", "0 1 * * *", 450),
    ShopJob(
        "Import the catalogue", "Imports", "*/15 * * * *", 412, "heavy",
        when_ended=("Import prices", "Import supplier orders", "Import stock levels"),
    ),
    ShopJob("Warm the page cache", "Search", "*/5 * * * *", 17, when_ended=("Rebuild the search index",)),
    ShopJob("Charge open invoices", "Billing", "*/10 * * * *", 108, "billing"),
    ShopJob("Refresh dashboards", "Warehouse", "*/20 * * * *", 88, when_ended=("Import the catalogue",)),
    ShopJob("Rebuild the search index", "Search", "20 * * * *", 1320, "heavy", when_ended=("Import the catalogue",)),
    ShopJob("Send the newsletter", "Mail", "35 9 * * 2", 900, "mail", enabled=False),
    ShopJob("Send password mails", "Mail", "* * * * *", 0.31, "mail"),
    ShopJob("Are there unpaid sales", "Monitors", "*/3 * * * *", 0.42, is_monitor=True),
    ShopJob("Check the web shop", "Monitors", "* * * * *", 1.1, is_monitor=True),
    ShopJob("Send order mails", "Mail", "* * * * *", 1.4, "mail"),
    ShopJob("Handle bounces", "Mail", "*/15 * * * *", 6.8, "mail"),
    ShopJob("Import prices", "Imports", "*/5 * * * *", 38, after=("Import exchange rates",)),
    ShopJob("Delete old runs", "Maintenance", "50 * * * *", 3.3),
    ShopJob("Import stock levels", "Imports", "*/10 * * * *", 74),
    ShopJob("Greet new customers", "Mail", "0 10 * * *", 12, "mail"),
    ShopJob("Update synonyms", "Search", "0 */2 * * *", 11),
    ShopJob("Rotate logs", "Maintenance", "0 0 * * *", 7.5),
    ShopJob("Back up the database", "Maintenance", "30 0 * * *", 1740),
    ShopJob("Clean the warehouse", "Warehouse", "0 1 * * *", 660, "heavy"),
    ShopJob("Load the warehouse", "Warehouse", "0 2 * * *", 3120, "heavy", after=("Clean the warehouse",)),
    ShopJob("Report margins", "Nightly reports", "0 3 * * *", 600, "heavy", after=("Load the warehouse",)),
    ShopJob("Report returns", "Nightly reports", "0 3 * * *", 120),
    ShopJob("Report sales", "Nightly reports", "0 3 * * *", 840, "heavy", after=("Load the warehouse",)),
    ShopJob("Delete old sessions", "Maintenance", "10 4 * * *", 19),
    ShopJob("Reconcile bank statements", "Billing", "15 5 * * *", 260, "billing"),
    ShopJob("Import exchange rates", "Imports", "0 6 * * 1-5", 4.2),
    ShopJob("Send dunning letters", "Billing", "30 7 * * 1-5", 140, "billing"),
    ShopJob("Is the certificate valid", "Monitors", "0 8 * * *", 0.9, is_monitor=True),
    ShopJob("Vacuum tables", "Maintenance", "30 2 * * 0", 960),
    ShopJob(
        "Report to the board", "Nightly reports", "0 4 * * 1", 1320, "heavy", after=("Report sales", "Report margins"),
    ),
    ShopJob("Import postal codes", "Imports", "0 3 1 * *", 1500, "heavy"),
)  # fmt: skip
