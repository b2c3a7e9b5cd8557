"""What each peer has to do: so many schedules far in the future, and so many due at one moment."""

from __future__ import annotations

import datetime as dt
import os

AT = dt.datetime.fromtimestamp(float(os.environ["PEER_AT"]), dt.UTC)
FAR, DUE = int(os.environ["PEER_FAR"]), int(os.environ["PEER_DUE"])
REDIS = os.environ["PEER_REDIS"]
POSTGRES_PORT = os.environ["PEER_POSTGRES_PORT"]
DAY = dt.timedelta(days=1)
DSN = f"host=127.0.0.1 port={POSTGRES_PORT} user=postgres dbname=postgres"
