from __future__ import annotations

from samples.shop_command import ShopCommand


class Command(ShopCommand):
    help = "Imports data of a supplier or a bank."
    STEPS = ("fetched page %d", "checked 200 rows", "stored 200 rows")
    ERROR = "HTTP 503 from https://api.supplier.example/orders"
