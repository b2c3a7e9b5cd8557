"""JSON views for the refresh of pages: with a permission check, and never cached."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.contrib.admin import ModelAdmin
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from chroniker.admin.shared.cells import Cell
from chroniker.admin.shared.site_links import admin_url

P = ParamSpec("P")
A = TypeVar("A", bound="ModelAdmin[Any]")

#: Rows in one request: as many as one page of a list has.
MOST_ROWS = 100


def json_view(
    view: Callable[Concatenate[A, HttpRequest, P], dict[str, Any]],
) -> Callable[Concatenate[A, HttpRequest, P], HttpResponse]:
    """A GET view that returns ``view``'s dictionary as JSON. 403, also as JSON, without the right to view the model.

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


def live_url(view: str, keys: Iterable[object]) -> str:
    """The address for the refresh of these rows; empty without rows."""
    ids = ",".join(map(str, keys))
    return f"{admin_url(view)}?ids={ids}" if ids else ""


def requested_ids(request: HttpRequest) -> list[int]:
    """The ids of ``?ids=1,2``. Raises ``BadRequest``, also for more ids than one page has rows."""
    ids = request.GET.get("ids", "").split(",")
    if len(ids) > MOST_ROWS or not all(number.isdecimal() and len(number) < 19 for number in ids):
        raise BadRequest(f"ids must be up to {MOST_ROWS} numbers with commas between them.")
    return [int(number) for number in ids]


def cell_name(kind: str, key: object, column: str) -> str:
    """The name of a cell, in the page and in the JSON."""
    return f"{kind}-{key}-{column}"


def cells_json(kind: str, key: object, cells: dict[str, Cell]) -> dict[str, Any]:
    return {cell_name(kind, key, column): cell.json() for column, cell in cells.items()}
