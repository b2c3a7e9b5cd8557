"""The alert rules and the dashboard of the documentation name metrics, labels and values that exist."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from chroniker.conf import settings
from chroniker.insights.metrics import fleet_values, message_values
from chroniker.insights.metrics.families import METRIC_FAMILIES, METRIC_PREFIX
from chroniker.models import EventKind
from tests.support import ROOT

RULES = ROOT / "docs" / "examples" / "prometheus" / "chroniker.rules.yaml"
GROUPS = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
LABELS = {family.full_name: set(family.labels) for family in METRIC_FAMILIES}
#: Label -> values that a metric can have.
VALUES = {
    "state": {*fleet_values.JOB_STATE_LABELS, "queued", "running"},
    "outcome": set(fleet_values.OUTCOME_LABELS),
    "kind": {*message_values.MESSAGE_KINDS, *message_values.ALERT_KINDS, *(kind.lower() for kind in EventKind.values)},
    "scope": set(message_values.PAUSE_SCOPES),
}
FUNCTIONS = {"absent", "time", "max", "abs", "increase", "delta"}


@pytest.mark.parametrize("alert", ALERTS)
def test_each_metric_label_and_value_of_a_rule_exists(alert: str) -> None:
    expression = ALERTS[alert]["expr"]
    names = re.findall(rf"{METRIC_PREFIX}\w+", expression)
    assert names and set(names) <= LABELS.keys()
    for name, matchers in re.findall(rf"({METRIC_PREFIX}\w+)\{{(.*?)\}}", expression):
        for label, value in re.findall(r'(\w+)="(.*?)"', matchers):
            assert label in LABELS[name] and value in VALUES[label], (name, label, value)
    for joined in re.findall(r"\bon \((.*?)\)", expression):
        assert all(joined in LABELS[name] for name in names)
    shown = re.findall(r"\$labels\.(\w+)", str(ALERTS[alert]["annotations"]))
    assert all(label in LABELS[name] for label in shown for name in names)
    assert {word for word in re.findall(r"\b([a-z]+)\(", expression)} <= FUNCTIONS
    assert all(expression.count(a) == expression.count(b) for a, b in ("()", "[]", "{}"))


@pytest.mark.parametrize("alert", ALERTS)
def test_each_rule_has_a_severity_and_a_sentence(alert: str) -> None:
    rule = ALERTS[alert]
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Chroniker[A-Za-z]+", alert)
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"].endswith(".")
    assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m"))
    assert all(text.count("{{") == text.count("}}") for text in rule["annotations"].values())


def test_the_names_of_rules_are_unique() -> None:
    assert len(ALERTS) == sum(len(group["rules"]) for group in GROUPS)


def test_the_limit_for_silence_is_that_of_the_alarm() -> None:
    limit = int(settings.tick_timeout.total_seconds())
    assert ALERTS["ChronikerDoesNotTick"]["expr"].endswith(f"> {limit}")


def test_the_dashboard_names_metrics_and_labels_that_exist() -> None:
    dashboard = json.loads((RULES.parent / "grafana-dashboard.json").read_text())
    targets = [target for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(targets) >= 12 and len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for target in targets:
        [name] = re.findall(rf"{METRIC_PREFIX}\w+", target["expr"])
        assert name in LABELS
        shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) | set(
            re.findall(r"by \((\w+)\)", target["expr"])
        )
        assert shown <= LABELS[name], target
