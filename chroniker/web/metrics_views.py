"""The address of the metrics for Prometheus. Needs a token, unless the settings make the metrics public."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chroniker.conf import settings

logger = logging.getLogger(__name__)

_AUTHORIZATION_SCHEME = "Bearer "


@never_cache
@require_safe
def metrics_view(request: HttpRequest, **prefix_values: object) -> HttpResponse:
    """Answer with all metrics, or with 503 and no metrics, never with only some of them."""
    if not settings.metrics_public:
        if not settings.metrics_token:
            return _text_response("Set CHRONIKER_METRICS_TOKEN, or CHRONIKER_METRICS_PUBLIC = True.", 403)
        if not _has_metrics_token(request):
            refused = _text_response('Send the token as "Authorization: Bearer …".', 401)
            refused.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
            return refused
    from chroniker.insights.metrics import exposition, scrape  # late: workers and commands load this module, too

    openmetrics = _prefers_openmetrics(request)
    try:
        text = scrape.metrics_text(openmetrics=openmetrics)
    except Exception as error:  # of any driver
        logger.warning("The metrics could not be read: %s: %s", type(error).__name__, error)
        return _text_response("The database cannot be used.", 503)
    return HttpResponse(
        text, content_type=exposition.OPEN_METRICS_CONTENT_TYPE if openmetrics else exposition.PLAIN_TEXT_CONTENT_TYPE
    )


def _has_metrics_token(request: HttpRequest) -> bool:
    sent = request.headers.get("Authorization", "")
    return sent.startswith(_AUTHORIZATION_SCHEME) and constant_time_compare(
        sent[len(_AUTHORIZATION_SCHEME) :].strip(), settings.metrics_token
    )


def _prefers_openmetrics(request: HttpRequest) -> bool:
    """Whether the request accepts OpenMetrics. Prometheus lists it among other types, with parameters."""
    return any(
        (each.main_type, each.sub_type) == ("application", "openmetrics-text") and each.quality > 0
        for each in request.accepted_types
    )


def _text_response(text: str, status: int) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")
