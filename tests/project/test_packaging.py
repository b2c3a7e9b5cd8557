"""The content of a release, which works without the files of the repository."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGES = ("chroniker", "chroniker_celery")
SOURCES = (
    "setup.py",
    "pyproject.toml",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "SECURITY.md",
    "UPGRADING.md",
    "CODE_OF_CONDUCT.md",
    "mkdocs.yml",
    "tox.ini",
    "bin/chroniker",
    "bin/chroniker-alive",
)
#: Of the source archive alone.
FOLDERS = (".ci", "docker", "docs", "tests")
URL = "https://example.com/jobs/chroniker"
BUILD = "from setuptools import build_meta as b; b.build_sdist('dist'); b.build_wheel('dist')"


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "DJANGO_SETTINGS_MODULE"}}
    done = subprocess.run(command, cwd=cwd, env={**clean, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both archives, as the release workflow builds them."""
    copy = copy_of_sources(tmp_path_factory.mktemp("source"))
    run(sys.executable, "-c", BUILD, cwd=copy, REPOSITORY_URL=URL)
    return copy / "dist"


def copy_of_sources(copy: Path) -> Path:
    """A build leaves files beside the sources. Not copied: the times of the files."""
    for name in SOURCES:
        (copy / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    for folder in (*PACKAGES, *FOLDERS):
        ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored, copy_function=shutil.copyfile)
    return copy


@pytest.fixture
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


def shipped() -> Iterator[str]:
    """Every file of the packages that Python does not generate."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                yield path.relative_to(ROOT).as_posix()


def test_the_wheel_has_exactly_the_files_of_both_packages(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in names if ".dist-info/" not in name} == set(shipped())


def test_the_source_archive_can_build_the_wheel(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {*shipped(), *SOURCES}
    assert names >= {"tests/conftest.py", "docs/index.md", "docs/pictures/now-light.png", "docker/compose.yaml"}
    assert names >= {"docker/demo/manage.py", ".ci/run", ".ci/module_map.py"}


def test_the_wheel_has_its_licence_and_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(info).decode()
        assert info.replace("METADATA", "licenses/LICENSE") in archive.namelist()
    assert "\nName: django-chroniker-celery\n" in metadata
    assert "\nVersion: 2.0.0.dev0\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata
    assert "BSD-3-Clause" in metadata


def test_the_wheel_brings_its_programs_and_the_fixtures_of_pytest(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = next(name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        assert "chroniker-alive = chroniker.alive:main" in archive.read(info).decode()
        assert "[pytest11]\nchroniker.pytest_plugin = chroniker.pytest_plugin" in archive.read(info).decode()


def test_the_description_works_on_the_package_index(wheel: Path) -> None:
    """It has no relative link, and each absolute one leads to a file of the repository."""
    with zipfile.ZipFile(wheel) as archive:
        info = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        head, _blank, description = archive.read(info).decode().partition("\n\n")
    assert f"Project-URL: Source, {URL}\n" in head
    links = re.findall(r"""(?:\]\(|(?:href|src|srcset)=")([^)"\s]+)""", description)
    pictures = {f"{URL}/raw/HEAD/docs/pictures/now-{colours}.png" for colours in ("light", "dark")}
    assert len(links) > 8 and pictures <= set(links)
    for link in links:
        assert link.startswith(("https://", "#"))
        path = link.removeprefix(f"{URL}/raw/HEAD/").removeprefix(f"{URL}/blob/HEAD/").partition("#")[0]
        assert (ROOT / path).is_file(), link


def test_the_same_sources_give_the_same_wheel(tmp_path: Path) -> None:
    """Byte by byte, whatever the times of the files, if SOURCE_DATE_EPOCH is set."""
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        copy = copy_of_sources(tmp_path / name)
        if name == "two":
            for path in copy.rglob("*.py"):
                os.utime(path, (1_700_000_000, 1_700_000_000))
        build = "from setuptools import build_meta as b; b.build_wheel('dist')"
        run(sys.executable, "-c", build, cwd=copy, SOURCE_DATE_EPOCH="1767225600", REPOSITORY_URL=URL)
        digests.add(hashlib.sha256(next((copy / "dist").glob("*.whl")).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_the_installed_wheel_creates_its_tables(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", site, wheel, cwd=tmp_path)
    (tmp_path / "alone.py").write_text(
        "SECRET_KEY = 'x'\nUSE_TZ = True\n"
        "INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth', 'chroniker']\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db.sqlite3'}}\n"
        "DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'\n"
    )
    env = {"PYTHONPATH": f"{site}{os.pathsep}{tmp_path}", "DJANGO_SETTINGS_MODULE": "alone"}
    run(sys.executable, "-m", "django", "migrate", "-v", "0", cwd=tmp_path, **env)
    where = run(sys.executable, "-c", "import chroniker; print(chroniker.__file__)", cwd=tmp_path, **env)
    assert Path(where.strip()).is_relative_to(site)
