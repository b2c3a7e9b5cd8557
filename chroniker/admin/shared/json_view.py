"""Views for the scripts of the pages: they answer with JSON, check the permission, and are never cached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.contrib.admin import ModelAdmin
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

ViewParams = ParamSpec("ViewParams")
ModelAdminT = TypeVar("ModelAdminT", bound="ModelAdmin[Any]")


def json_view(
    view: Callable[Concatenate[ModelAdminT, HttpRequest, ViewParams], dict[str, Any]],
) -> Callable[Concatenate[ModelAdminT, HttpRequest, ViewParams], HttpResponse]:
    """Turn ``view``, which returns a dictionary, into a GET view that answers with it as JSON.

    If the user may not view the model, the answer is 403, also as JSON. The view never redirects to the login page,
    because the calling script cannot show that page.
    """

    def wrapper(
        self: ModelAdminT, request: HttpRequest, /, *args: ViewParams.args, **kwargs: ViewParams.kwargs
    ) -> HttpResponse:
        response = answer(self, request, *args, **kwargs)
        add_never_cache_headers(response)
        return response

    def answer(
        self: ModelAdminT, request: HttpRequest, *args: ViewParams.args, **kwargs: ViewParams.kwargs
    ) -> HttpResponse:
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
