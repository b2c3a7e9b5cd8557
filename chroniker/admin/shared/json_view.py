"""Views for the scripts of the pages: they answer with JSON, check the permission, and are never cached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.contrib.admin import ModelAdmin
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

P = ParamSpec("P")
A = TypeVar("A", bound="ModelAdmin[Any]")


def json_view(
    view: Callable[Concatenate[A, HttpRequest, P], dict[str, Any]],
) -> Callable[Concatenate[A, HttpRequest, P], HttpResponse]:
    """Turn ``view``, which returns a dictionary, into a GET view that answers with it as JSON.

    Without the permission to view the model it answers 403, also as JSON.

    It never redirects to the login page, because the calling script could not show it.
    """

    def wrapper(self: A, request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        response = answer(self, request, *args, **kwargs)
        add_never_cache_headers(response)
        return response

    def answer(self: A, request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not (self.admin_site.has_permission(request) and self.has_view_permission(request)):
            return JsonResponse(
                {"error": _("You do not have permission to view this, or your session has ended.")}, status=403
            )
        if request.method not in ("GET", "HEAD"):
            return JsonResponse(
                {"error": _("Only GET requests are allowed.")}, status=405, headers={"Allow": "GET, HEAD"}
            )
        try:
            return JsonResponse(view(self, request, *args, **kwargs))
        except BadRequest as error:
            return JsonResponse({"error": str(error)}, status=400)
        except PermissionDenied:
            return JsonResponse({"error": _("You do not have permission to do this.")}, status=403)

    return wrapper
