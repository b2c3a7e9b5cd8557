"""The text formats of Prometheus (0.0.4) and OpenMetrics (1.0.0). Pure.

The text is written here and not by ``prometheus_client``: that library counts within one process. These values come
from the database, and only the text is needed. The tests parse the text with that library.
"""

from __future__ import annotations

from collections.abc import Iterator

from chroniker.insights.metrics.families import METRIC_FAMILIES, MetricFamily, Samples

PLAIN_TEXT_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS_CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def format_samples(samples: Samples, *, openmetrics: bool = False) -> str:
    """Each metric that has a value, in the order of the list."""
    lines = [
        line
        for family in METRIC_FAMILIES
        if samples.get(family.name)
        for line in _family_lines(family, samples, openmetrics)
    ]
    if openmetrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines)


def _family_lines(family: MetricFamily, samples: Samples, openmetrics: bool) -> Iterator[str]:
    # In OpenMetrics a counter is called without the suffix that its samples have.
    name = family.full_name.removesuffix("_total") if openmetrics else family.full_name
    meaning = _escape_text(family.help) if openmetrics else _escape_text(family.help).replace('\\"', '"')
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {family.kind}"
    for values, number in samples[family.name]:
        labels = ",".join(
            f'{label}="{_escape_text(value)}"' for label, value in zip(family.labels, values, strict=True)
        )
        yield (
            f"{family.full_name}{{{labels}}} {_number_text(number)}"
            if labels
            else f"{family.full_name} {_number_text(number)}"
        )


def _escape_text(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number_text(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
