"""Where a message goes, with the values of its target and secret."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from chroniker.outbox.checked_request import OutgoingRequest


@dataclass(frozen=True, slots=True, repr=False)  # without repr: target and secret appear in no log
class Endpoint:
    target: str
    secret: str = ""
    template: str = ""
    site: str = ""  #: the name of this installation, where several send to one service
    output: str = ""  #: the end of the run's output, where it is wanted


def json_request(url: str, body: Any, **headers: str) -> OutgoingRequest:
    content = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
    return OutgoingRequest(url, content, {"Content-Type": "application/json", **headers})
