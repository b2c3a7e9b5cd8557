"""``make pictures``: writes screenshots of the console's pages into ``docs/pictures``, in light and dark.

The data and the clock are the same each time (the clock only where libfaketime is installed), so a picture changes only
when its page changes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.browser import chromium
from tests.support import ROOT
from tests.support.servers.base import free_port
from tests.support.servers.wrong_clock import WrongClock

FOLDER = ROOT / "docs" / "pictures"
#: The time on all pictures, where the clock can be set.
MOMENT = dt.datetime(2026, 11, 24, 9, 41, 12, tzinfo=dt.UTC)
#: Colours in a picture file.
COLOURS = 96
WIDTH, HEIGHT = 1280, 860
ADMIN = "/admin/chroniker/"
#: Picture to address; for a job's and a run's page, by the text of the link that leads there.
PAGES = {
    "now": "job/now/",
    "jobs": "job/",
    "runs": "run/",
    "timeline": "job/timeline/",
    "graph": "job/graph/",
    "fleet": "host/",
    "reliability": "run/reliability/",
}


@contextmanager
def site(directory: Path) -> Iterator[str]:
    """The address of the running site."""
    port = free_port()
    env = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "TEST_DATABASE": "sqlite",
        "CHRONIKER_TEST_DB_NAME": str(directory / "pictures.sqlite3"), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    if WrongClock.available():
        clock = WrongClock(directory / "clock")
        clock.freeze(MOMENT)
        env |= {**clock.environ(), "TZ": "UTC"}
    words = [sys.executable, "-m", "tests.pictures.site", str(port)]
    with (
        (directory / "site.log").open("w") as log,
        subprocess.Popen(words, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise SystemExit("The site did not start.")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def take(address: str, only: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.path(), args=chromium.FLAGS)
        for theme in ("light", "dark"):
            context = browser.new_context(
                base_url=address,
                viewport={"width": WIDTH, "height": HEIGHT},
                color_scheme=theme,
            )
            page = context.new_page()
            page.clock.set_fixed_time(MOMENT)
            log_in(page)
            for name, target in addresses(page).items():
                if only and name not in only:
                    continue
                page.goto(target)
                save(page.screenshot(), FOLDER / f"{name}-{theme}.png")
            context.close()
        browser.close()


def log_in(page: Any) -> None:
    page.goto("/admin/login/")
    page.evaluate("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()


def addresses(page: Any) -> dict[str, str]:
    """All pages; those of a job and of its last run are found through the list of runs."""
    page.goto(f"{ADMIN}job/graph/")
    job = page.get_by_role("link", name="Import supplier orders").first.get_attribute("href")
    base = job.removesuffix("status/").removesuffix("change/")
    page.goto(f"{base}runs/")
    run = page.locator("main a[href*='/chroniker/run/']").first.get_attribute("href")
    own = {"job-status": job, "job-schedule": f"{base}schedule/", "job-edit": f"{base}change/", "run": run}
    return {**{name: ADMIN + path for name, path in PAGES.items()}, **{name: url for name, url in own.items() if url}}


def save(picture: bytes, path: Path) -> None:
    """As a file with few colours: a fifth of the size, and no difference to the eye."""
    from PIL import Image

    image = Image.open(BytesIO(picture)).convert("RGB")
    small = image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make pictures", description=__doc__)
    parser.add_argument("pages", nargs="*", help="only these, such as: now graph")
    chosen = parser.parse_args().pages
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, site(Path(directory)) as address:
        take(address, chosen)


if __name__ == "__main__":
    main()
