"""Lines of output as HTML, and the answers to the requests of the output viewer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import QueryDict
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import ngettext

from chroniker.insights.output import ansi, views
from chroniker.insights.output.lines import Line
from chroniker.insights.output.pages import Cursor
from chroniker.insights.output.search import search_lines
from chroniker.insights.output.views import OutputPlace, OutputView
from chroniker.models import Stream
from chroniker.wording.formats import format_count

#: The largest number of characters of a line that are shown. The download has the whole line.
MAX_LINE_LENGTH = 10_000
#: The short names of the streams for style sheets, and the tags that the page shows before lines.
STREAM_CSS_NAMES = {Stream.REMARK: "rem", Stream.STDOUT: "out", Stream.STDERR: "err"}
_STREAM_TAG_HTML = {Stream.REMARK: "", Stream.STDOUT: "", Stream.STDERR: '<span class="tag">stderr</span>'}


def answer_output_query(run_id: UUID, query: QueryDict) -> dict[str, Any]:
    """The lines or search results for ``?after=PLACE``, ``?before=PLACE``, ``?at=start|end|error|NUMBER`` or
    ``?q=TEXT&from=CURSOR``. Without a parameter: the last lines."""
    try:
        if "q" in query:
            found = search_lines(run_id, query.get("q", ""), Cursor.parse(query.get("from", "-1.-1.-1")))
            return {"numbers": found.numbers, "next": str(found.next) if found.next else ""}
        view, target = fetch_output_view_for_query(run_id, query)
    except ValueError:
        raise BadRequest("after and before must be places, at a number.") from None
    return {**view_position_in_output(view), "html": lines_as_html(view.lines), "target": target}


def fetch_output_view_for_query(
    run_id: UUID, query: QueryDict, max_lines: int = views.LINES_PER_VIEW
) -> tuple[OutputView, int | None]:
    """The lines that a query asks for, and the number of the line to scroll to. Raises ``ValueError``."""
    if after := query.get("after"):
        return views.fetch_view_after(run_id, OutputPlace.parse(after), max_lines), None
    if before := query.get("before"):
        return views.fetch_view_before(run_id, OutputPlace.parse(before), max_lines), None
    at = query.get("at", "end")
    if at == "end":
        return views.fetch_last_view(run_id, max_lines), None
    if at == "start":
        return views.fetch_first_view(run_id, max_lines), None
    number = views.find_first_stderr_line_number(run_id) if at == "error" else max(1, min(int(at), 2**53))
    if number is None:
        return views.fetch_last_view(run_id, max_lines), None
    return views.fetch_view_of_line(run_id, number, max_lines), number


def view_position_in_output(view: OutputView) -> dict[str, Any]:
    """The position of the view in the output."""
    return {
        "before": str(view.before),
        "after": str(view.after),
        "more_before": view.more_before,
        "more_after": view.more_after,
        "amount": line_count_text(view),
    }


def lines_as_html(lines: list[Line]) -> SafeString:
    """One element per line. The command's output is escaped; its colours become CSS classes."""
    styles = dict.fromkeys(Stream, ansi.PLAIN_STYLE)
    found: list[str] = []
    for line in lines:
        if line.lost_chunk_count:
            found.append(format_html('<div class="ops-cut">{}</div>', missing_chunks_text(line.lost_chunk_count)))
        text, styles[line.stream] = _styled_text_and_end_style(line, styles[line.stream])
        found.append(_line_html(line, text))
    return mark_safe("".join(found))  # nosec B308 B703  # the output of the command is escaped


def _line_html(line: Line, text_html: str) -> str:
    moment = f"{timezone.localtime(line.written_at):%H:%M:%S.%f}"[:-3]
    ends = " data-open" if line.is_open else ""
    return (
        f'<div class="l" id="L{line.number}" data-s="{STREAM_CSS_NAMES[line.stream]}"{ends}>'
        f'<a class="n" href="#L{line.number}">{line.number}</a><span class="w">{moment}</span>'
        f'<span class="c">{_STREAM_TAG_HTML[line.stream]}{text_html}</span></div>'
    )


def _styled_text_and_end_style(line: Line, style: ansi.Style) -> tuple[str, ansi.Style]:
    segments, style = ansi.styled_segments(line.text, style)
    left, found = MAX_LINE_LENGTH, ["… " if line.is_cut else ""]
    for classes, text in segments:
        shown = escape(text[:left])
        found.append(f'<span class="{classes}">{shown}</span>' if classes and shown else shown)
        left -= len(text)
    if left < 0:
        found.append(_hidden_characters_note(-left))
    return "".join(found), style


def _hidden_characters_note(count: int) -> SafeString:
    text = ngettext("… %(n)s more character is in the download", "… %(n)s more characters are in the download", count)
    return format_html(' <span class="a2">{}</span>', text % {"n": format_count(count)})


def missing_chunks_text(count: int) -> str:
    text = ngettext("%(n)d output chunk is missing here", "%(n)d output chunks are missing here", count)
    return text % {"n": count}


def line_count_text(view: OutputView) -> str:
    """“1,215 lines”. Empty if the view does not reach the end of the output, because the number is then unknown."""
    last = view.lines[-1].number if view.lines else 0
    if view.more_after or not last:
        return ""
    return ngettext("%(n)s line", "%(n)s lines", last) % {"n": format_count(last)}
