"""The examples of deployments are accepted by the tools that read them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from django.urls import resolve

from chroniker import alive
from chroniker.process import alive_file
from tests.support import ROOT

EXAMPLES = ROOT / "docs" / "examples"
UNITS = sorted((EXAMPLES / "systemd").glob("*.service"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    """With a program that exists here."""
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE))
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_pods_of_each_deployment_have_the_labels_that_it_selects() -> None:
    documents = list(yaml.safe_load_all((EXAMPLES / "kubernetes" / "chroniker.yaml").read_text()))
    deployments = {each["metadata"]["name"]: each for each in documents if each["kind"] == "Deployment"}
    assert deployments.keys() == {"shop-web", "chroniker-beat", "chroniker-worker"}
    all_labels = [each["spec"]["template"]["metadata"]["labels"] for each in deployments.values()]
    for each, labels in zip(deployments.values(), all_labels, strict=True):
        assert each["spec"]["selector"]["matchLabels"] == labels
        mounts = {mount["name"] for mount in each["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]}
        assert mounts == {volume["name"] for volume in each["spec"]["template"]["spec"]["volumes"]}
    budgets = [each["spec"]["selector"]["matchLabels"] for each in documents if each["kind"] == "PodDisruptionBudget"]
    assert sorted(map(str, budgets)) == sorted(map(str, all_labels))


def test_the_probes_ask_what_exists() -> None:
    documents = yaml.safe_load_all((EXAMPLES / "kubernetes" / "chroniker.yaml").read_text())
    for each in [each for each in documents if each["kind"] == "Deployment"]:
        [container] = each["spec"]["template"]["spec"]["containers"]
        if container["name"] == "web":
            for probe in ("livenessProbe", "readinessProbe"):
                path = container[probe]["httpGet"]["path"].removeprefix("/chroniker/")
                resolve(f"/{path}", "chroniker.urls")
            continue
        program, kind = container["livenessProbe"]["exec"]["command"]
        assert program == "chroniker-alive" and kind == container["name"] and kind in alive_file.PROCESS_KINDS
        assert {"name": alive.RUNTIME_DIR_VARIABLE, "value": "/run/chroniker"} in container["env"]
