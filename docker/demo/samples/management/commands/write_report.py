from __future__ import annotations

from samples.shop_command import ShopCommand


class Command(ShopCommand):
    help = "Computes a report from the warehouse."
    STEPS = ("read partition %d", "aggregated by product")
    ERROR = "a partition is missing"
