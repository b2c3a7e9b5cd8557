"""A separate project with its own database, for processes with an empty environment."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from tests.support import ROOT

#: Set by coverage in a run of ``make coverage``: its processes measure themselves.
COVERAGE = "COVERAGE_PROCESS_CONFIG"
#: About the environment that cron gives to a command.
EMPTY = {"PATH": os.defpath, **{name: value for name, value in os.environ.items() if name == COVERAGE}}

SETTINGS = """
    from pathlib import Path
    BASE_DIR = Path(__file__).parent.parent
    SECRET_KEY = "for tests only"
    USE_TZ = True
    INSTALLED_APPS = [
        "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.staticfiles", "chroniker", "shop",
    ]
    STATIC_URL = "/static/"
    TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    CHRONIKER_RUNTIME_DIR = str(BASE_DIR / "run")
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "db.sqlite3",  # relative to manage.py, if the program changes to its directory
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
            },
        }
    }
    """
MANAGE = """
    import os, sys
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
    """
#: One job that is due once, now.
JOBS = """
    import datetime as dt
    import chroniker

    witness = chroniker.job(
        name="witness", command="witness", frequency="ONCE", run_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    )
    """
WITNESS = """
    from pathlib import Path
    from django.core.management.base import BaseCommand

    class Command(BaseCommand):
        def handle(self, **options):
            Path("witness").write_text("was here")
    """


class BareProject:
    """Has one job, which is due and creates a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        files = {"manage.py": MANAGE, "site_/settings.py": SETTINGS, "shop/jobs.py": JOBS}
        files["shop/management/commands/witness.py"] = WITNESS
        for package in ("site_", "shop", "shop/management", "shop/management/commands"):
            files[f"{package}/__init__.py"] = ""
        for path, source in files.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_text(dedent(source))

    @property
    def witness(self) -> Path:
        return self.directory / "witness"

    def migrate(self, python: Path, env: Mapping[str, str] = EMPTY) -> None:
        run([python, "manage.py", "migrate", "--verbosity", "0"], env=env, cwd=self.directory)


def environment(directory: Path, *, with_sources: bool = True) -> Path:
    """Make a virtual environment with the packages of this test run. Returns its Python."""
    venv.create(directory, with_pip=False, symlinks=True)
    python = directory / "bin" / "python"
    where = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], env=EMPTY, cwd=directory)
    paths = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    if with_sources:  # and with the .pth files of these directories: coverage has one, to measure each process
        paths = [str(ROOT), *(f"import site; site.addsitedir({path!r})" for path in paths)]
    Path(where.strip(), "tests.pth").write_text("\n".join(paths) + "\n")
    return python


def run(words: list[str | Path], *, env: Mapping[str, str], cwd: Path) -> str:
    """Returns the output; fails with the output if the program fails."""
    done = subprocess.run(words, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
