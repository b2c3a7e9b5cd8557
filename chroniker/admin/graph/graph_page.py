"""The page of the graph: which job holds back which."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from chroniker.admin.graph import drawing
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.query_values import read_query_text
from chroniker.admin.shared.site_links import job_url
from chroniker.clock.database_clock import database_now
from chroniker.insights import job_graph
from chroniker.insights.job_graph import GraphChoice, JobGraph
from chroniker.models import Job

#: The largest number of links to groups above the picture, and of critical paths below it.
MAX_GROUP_CHIPS, MAX_CRITICAL_PATHS = 12, 5
FRAGMENT_TEMPLATES = {
    "ops-sentence": "chroniker/console/graph_sentence.html",
    "graph-choice": "chroniker/console/graph_choice.html",
    "graph-picture": "chroniker/console/graph_picture.html",
    "graph-paths": "chroniker/console/graph_paths.html",
    "graph-table": "chroniker/console/graph_table.html",
}


def graph_view(job_admin: Any, request: HttpRequest) -> HttpResponse:
    """The page. ``?job=ID`` or ``?q=NAME``: only the jobs around this job; ``?group=ID``: only the jobs of this group;
    ``?held=1``: only jobs that are held back."""
    if not job_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    now = database_now()
    choice, around = _read_graph_choice(request)
    graph = job_graph.read_job_graph(now, choice)
    context = {
        "title": _("Graph"),
        "graph": graph,
        "holders": [_blocking_job_row(graph, pk, count) for pk, count in graph.held_counts_by_blocker.most_common(1)],
        "chips": _filter_chips(graph, choice),
        "around": around,
        "query": request.GET.get("q", ""),
        "sought": around.name if around else request.GET.get("q", ""),
        "picture": drawing.draw_job_graph(graph, now),
        "paths": [_critical_path_row(graph, path) for path in graph.paths[:MAX_CRITICAL_PATHS]],
        "rows": list(drawing.link_table_rows(graph)),
    }
    return render_console_page(
        job_admin.admin_site, request, "chroniker/console/graph.html", "graph", context, FRAGMENT_TEMPLATES
    )


def _read_graph_choice(request: HttpRequest) -> tuple[GraphChoice, Job | None]:
    """The choice of jobs in the query, and the job whose linked jobs are shown; ``None`` without such a job."""
    job_id, group_id = (_parse_id(request.GET.get(name, "")) for name in ("job", "group"))
    jobs = Job.objects.only("name")
    job = None
    if name := read_query_text(request.GET, "q").strip():
        ends = ("dependencies", "dependents", "starts", "started_by")
        is_linked = reduce(or_, [Q(**{f"{end}__isnull": False}) for end in ends])
        linked = jobs.filter(is_linked, name__icontains=name)
        job = linked.order_by("name").first()
    elif job_id is not None:
        job = jobs.filter(pk=job_id).first()
    return GraphChoice(job.pk if job else None, group_id, request.GET.get("held") == "1"), job


def _parse_id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _blocking_job_row(graph: JobGraph, job_id: int, held_count: int) -> dict[str, Any]:
    url = job_url(job_id)
    return {"name": graph.blocker_names.get(job_id, ""), "url": url, "count": held_count}


def _filter_chips(graph: JobGraph, choice: GraphChoice) -> list[dict[str, Any]]:
    held_count = graph.held_job_count
    chips = [
        {"text": _("All"), "count": graph.dependent_job_count, "query": "?", "current": choice == GraphChoice()},
        {"text": _("Only jobs held back"), "count": held_count, "query": "?held=1", "current": choice.only_held},
    ]
    largest = sorted(graph.groups, key=lambda pk: -graph.groups[pk][1])[:MAX_GROUP_CHIPS]
    for pk in (pk for pk in graph.groups if pk in largest):
        name, count = graph.groups[pk]
        chips.append({"text": name, "count": count, "query": f"?group={pk}", "current": choice.group_id == pk})
    return chips


def _critical_path_row(graph: JobGraph, path: job_graph.CriticalPath) -> dict[str, Any]:
    jobs = [(graph.nodes[pk].name, job_url(pk)) for pk in path.job_ids]
    return {"jobs": jobs, "seconds": path.seconds, "complete": path.complete}
