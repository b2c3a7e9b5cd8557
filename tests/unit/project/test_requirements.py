"""The lowest versions that are tested are those that setup.py allows."""

from __future__ import annotations

import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support import ROOT


def allowed() -> dict[str, Version]:
    """The lower bounds of what a project installs: without the lists of test tools, which stand before ``setup(``."""
    source = (ROOT / "setup.py").read_text().partition("\nsetup(")[2]
    wanted = source[source.index("install_requires=") : source.index('"demo": [')]
    bounds = [Requirement(text) for text in re.findall(r'"([\w\[\]-]+>=[^";]+)"', wanted)]
    return {canonicalize_name(each.name): lower(each) for each in bounds}


def lower(requirement: Requirement) -> Version:
    return next(Version(each.version) for each in requirement.specifier if each.operator == ">=")


def test_tox_tries_the_lowest_versions() -> None:
    lines = (ROOT / ".ci" / "lowest.txt").read_text().splitlines()
    tried = dict(line.split("==") for line in lines if not line.startswith("#"))
    versions = {canonicalize_name(name): Version(version) for name, version in tried.items()}
    assert len(versions) >= 10
    assert {name: Version(version.base_version) for name, version in versions.items()} == {
        name: Version(version.base_version) for name, version in allowed().items()
    }
