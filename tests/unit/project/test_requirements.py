"""What setup.py requires: each package is used, and the lowest versions that it allows are tested."""

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


#: The modules of packages that have another name.
MODULES = {"python-dateutil": "dateutil"}
#: Packages that nothing here imports, with what does.
INDIRECT = {"redis": "kombu, for its Redis transport", "packaging": "the same", "tzdata": "zoneinfo"}


def test_each_package_that_the_wheel_brings_is_imported() -> None:
    source = (ROOT / "setup.py").read_text().partition("\nsetup(")[2]
    texts = re.findall(r'"([\w-]+)[>=]', source[source.index("install_requires=") : source.index("extras_require=")])
    names = [canonicalize_name(text) for text in texts]
    files = [path for package in ("chroniker", "chroniker_celery") for path in (ROOT / package).rglob("*.py")]
    code = "\n".join(path.read_text() for path in files)
    imported = {each.partition(".")[0] for each in re.findall(r"^ *(?:from|import) ([\w.]+)", code, flags=re.MULTILINE)}
    unused = [name for name in names if MODULES.get(name, name.replace("-", "_")) not in imported]
    assert len(names) >= 8 and sorted(unused) == sorted(INDIRECT)


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
