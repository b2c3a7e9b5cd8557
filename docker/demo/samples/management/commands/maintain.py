from __future__ import annotations

from samples.shop_command import ShopCommand


class Command(ShopCommand):
    help = "Cleans and maintains the database and its files."
    STEPS = ("table %d done", "freed 12 MB")
    ERROR = "no space left on device"
