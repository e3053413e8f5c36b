"""The shop as people meet it: a real server on loopback, a real worker behind it, and a real Chromium in front."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from fullhouse.infra.resources import Resources
from fullhouse.settings import Settings
from fullhouse.web.app import create_app
from fullhouse.workers.run import run_worker
from fullhouse.workers.work import work_of

FLAGS = (
    "--headless --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --no-sandbox"
).split()
PLACES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str:
    """Return where Chromium is; the test is skipped by name where there is none, which in CI is a failure."""
    found = os.environ.get("CHROMIUM_PATH") or next(filter(None, map(shutil.which, PLACES)), None)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("no Chromium here, and in CI these tests are never skipped")
    if found is None:
        pytest.skip("no Chromium here; CHROMIUM_PATH may name one")
    return found


@asynccontextmanager
async def running_chromium() -> AsyncGenerator[Browser]:
    """Run a browser that starts empty and is forgotten."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def running_shop(resources: Resources) -> AsyncGenerator[str]:
    """Serve the shop with its worker, and return its address."""
    # Streams are short, so that browsers have to connect again.
    settings = Settings.model_validate(
        {"simulated_payments": True, "simulated_late_seconds": 1, "stream_seconds_max": 2}
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        resources = replace(resources, public_url=address)
        config = uvicorn.Config(create_app(resources, settings), log_config=None, access_log=False, lifespan="on")
        server, stop = uvicorn.Server(config), asyncio.Event()
        working = asyncio.create_task(run_worker(resources, work_of(resources, settings), stop))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield address
        finally:
            server.should_exit = True
            await serving
            stop.set()
            await working


@dataclass
class Inspector:
    """Looks at each page that a visit comes to: axe finds nothing, and nothing is wider than the screen."""

    page: Page
    pictures: Path | None = None
    looked: int = 0

    async def look(self, name: str) -> None:
        self.looked += 1
        if self.pictures is not None:
            await self.page.screenshot(path=self.pictures / f"{self.looked:02}-{name}.png", full_page=True)
        # A page that waits looks again by itself, says so, and stops after some minutes: WCAG allows that for what
        # happens in real time (2.2.1), axe does not know it.
        options = {"resultTypes": ["violations"], "rules": {"meta-refresh": {"enabled": False}}}
        found = await Axe().run(self.page, options=options)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        wide = await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, f"{name} scrolls sideways by {wide}px"
