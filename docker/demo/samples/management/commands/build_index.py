from __future__ import annotations

from samples.shop_command import ShopCommand


class Command(ShopCommand):
    help = "Builds the search index or a cache."
    STEPS = ("indexed batch %d", "merged a segment")
    ERROR = "the index is locked"
