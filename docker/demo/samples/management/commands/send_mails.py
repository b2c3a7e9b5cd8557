from __future__ import annotations

from samples.shop_command import ShopCommand


class Command(ShopCommand):
    help = "Sends mails to customers."
    STEPS = ("sent mail %d", "rendered the next template")
    ERROR = "the mail server refused the recipient"
