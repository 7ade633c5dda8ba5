"""Takes the pictures that the README shows: starts the demo and the app, and looks at them with Chromium."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from cds_hooks.demo.server import fhir_server
from cds_hooks.demo.stories import demo_patients
from tests.support.smart.ehr import running_ehr
from tests.support.smart.fixtures import DAY, App, running_app

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
SIZES = {"wide": (1280, 1000), "narrow": (400, 1000)}
SCHEMES = ("light", "dark")
APP_PATIENT = "partial-response-to-ketamine"
APP_PICTURES = (("wide", "light"), ("narrow", "dark"))
APP_VIEWS = ("overview", "criteria", "questionnaires/phq9")


def main() -> None:
    """Write every picture into the folder that is named, or ``docs/pictures``."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path, nargs="?", default=PICTURES)
    options.add_argument("--address", help="a demo that is running already")
    given = options.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or sys.exit("Chromium is needed: install it, or put it on the PATH")
    with demo(given.address) as address, app() as launched, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        for size, (width, height) in SIZES.items():
            for scheme in SCHEMES:
                _sandbox(browser, address, given.folder, f"{size}-{scheme}", (width, height), scheme)
        for size, scheme in APP_PICTURES:
            _app(browser, launched, given.folder, f"{size}-{scheme}", SIZES[size], scheme)
        browser.close()


@contextmanager
def demo(address: str | None) -> Iterator[str]:
    """The address of a demo: the one given, or one of our own."""
    if address:
        yield address
        return
    command = [sys.executable, "-m", "cds_hooks.cli.main", "demo", "--no-browser", "--port", "0", "--fhir-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.match(r"Tandem answers at (http://[^/]+)/", line):
                    yield found[1]
                    break
        finally:
            process.terminate()


def _sandbox(browser: Browser, address: str, folder: Path, name: str, size: tuple[int, int], scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(f"{address}/sandbox?patient=uncontrolled-hypertension")
    page.get_by_role("button", name="Fire the hook").click()
    page.get_by_role("heading", name="What the EHR shows").wait_for()
    _take(page, folder / f"sandbox-{name}.png")
    if name == "wide-light":
        page.goto(f"{address}/sandbox?patient=partial-response-to-tms&hook=patient-view")
        page.get_by_role("button", name="Fire the hook").click()
        page.locator("label[for=view-course]").click()
        page.locator(".drawing img").wait_for()
        _take(page, folder / "sandbox-course.png")
    context.close()


@contextmanager
def app() -> Iterator[App]:
    """The app beside an EHR that holds one patient."""
    patients = [each for each in demo_patients(DAY) if each.id == APP_PATIENT]
    with fhir_server(patients) as fhir, running_ehr(fhir) as ehr, running_app(ehr) as running:
        yield running


def _app(browser: Browser, launched: App, folder: Path, name: str, size: tuple[int, int], scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(launched.launch(APP_PATIENT))
    opening = page.url.rpartition("/")[0]
    for view in APP_VIEWS:
        page.goto(f"{opening}/{view}", wait_until="networkidle")
        _take(page, folder / f"app-{view.rpartition('/')[2]}-{name}.png")
    context.close()


def _take(page: Page, path: Path) -> None:
    page.evaluate("document.activeElement?.blur(); scrollTo(0, 0)")
    page.screenshot(path=path)


if __name__ == "__main__":
    main()
