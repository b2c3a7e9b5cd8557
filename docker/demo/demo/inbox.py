"""Where the demo's channel sends messages: a page that shows the last ones."""

from collections import deque

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

received: deque[str] = deque(maxlen=50)


@csrf_exempt
def inbox(request: HttpRequest) -> HttpResponse:
    """POST: a message of a channel. GET: the last messages of this process, the newest first."""
    if request.method == "POST":
        received.appendleft(request.body[:10_000].decode(errors="replace"))
        return HttpResponse(status=204)
    return HttpResponse("\n\n".join(received) or "No messages yet.", content_type="text/plain; charset=utf-8")
