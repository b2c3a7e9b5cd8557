from __future__ import annotations

from samples.shop_command import ShopCommand


class Command(ShopCommand):
    help = "Sends payments to the bank, and reads its answers."
    STEPS = "payment %d accepted"
    ERROR = "the bank answered: 402 payment required"
