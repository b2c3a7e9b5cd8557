"""The arguments, record counts and templates of ``check_monitor``. Works with any model; knows no jobs.

Does not belong here: the report of the count to the run (``command_api``), and pages (``admin.monitors``).
"""

from chroniker.monitors.arguments import add_arguments, argument_error, parse_record_source
from chroniker.monitors.findings import RecordCount, count_records
from chroniker.monitors.templates import find_template_error, render, render_url, template_values

__all__ = [
    "RecordCount",
    "add_arguments",
    "argument_error",
    "count_records",
    "find_template_error",
    "parse_record_source",
    "render",
    "render_url",
    "template_values",
]
