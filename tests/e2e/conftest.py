"""A control plane of its own for the browser, as `manage.py serve` runs it."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import sync_playwright

from tests.services import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class ControlPlane:
    """`manage.py serve` on a free port of loopback; settings: further ones of the environment."""

    def __init__(self, directory, **settings):
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("QZTNA_")},
            "QZTNA_DATA_DIR": str(directory),
            "QZTNA_PUBLIC_URL": self.url,
            **settings,
        }
        self._process = None

    def start(self):
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port)]
        with (self.directory / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/api/health", timeout=2).status_code == 200:
                    return
            time.sleep(0.2)
        raise RuntimeError((self.directory / "serve.log").read_text()[-3000:])

    def run(self, code):
        """Python beside the server, on its database."""
        command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True, timeout=60)

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def post(self, path, body, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.post(self.url + path, json=body, headers=headers, timeout=20).json()


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory):
    instance = ControlPlane(tmp_path_factory.mktemp("control"))
    try:
        instance.start()
        yield instance
    finally:
        instance.stop()


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    assert chromium, "chromium is not installed"
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield instance
        instance.close()


@pytest.fixture
def page(browser):
    """A fresh browser profile; the test fails on any error that the page itself logs."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    instance = context.new_page()
    faults = []
    instance.on("pageerror", lambda error: faults.append(str(error)))
    yield instance
    context.close()
    assert not faults
