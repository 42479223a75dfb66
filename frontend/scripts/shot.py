"""Pictures of every page of the console, in both themes, wide and narrow.

    shot.py http://127.0.0.1:8000 someone@example.com password out/

Also a check: exits 1 when the browser's console reports an error, or a page scrolls sideways
or does not come up.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, Route, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
THEMES = ("light", "dark")
WIDTHS = {"wide": (1440, 900), "narrow": (380, 800)}
PAGES = {
    "dashboard": "/dashboard",
    "machines": "/machines",
    "machines-no-match": "/machines?q=nothing-is-called-so",
    "machines-pending": "/machines?tab=pending",
    "machines-routers": "/machines?role=router",
    "dns": "/dns",
    "acls": "/acls",
    "acls-json": "/acls?tab=json",
    "acls-no-match": "/acls?q=nothing-is-called-so",
    "attribute-policies": "/abac",
    "policy-tests": "/acls/tests",
    "flows": "/flows",
    "segmentation": "/segmentation",
    "jit": "/jit?tab=inbox",
    "posture": "/posture",
    "posture-policies": "/posture-policies",
    "policy-versions": "/policy-versions",
    "policy-versions-single": "/policy-versions?tab=single",
    "access-reviews": "/access-reviews",
    "users": "/users",
    "auth-keys": "/settings/auth-keys",
    "api-keys": "/api-keys",
    "webhooks": "/webhooks",
    "audit-log": "/audit-log",
    "settings": "/settings",
    "create-org": "/create-org",
    "auth-device": "/auth/device",
    "auth-cli": "/auth/cli?cli_state=abc&code_challenge=def&port=41000",
    "not-found": "/no-such-page",
}
# Buttons whose dialogs are worth a picture: page, then the button's name.
DIALOGS = {
    "create-auth-key": ("/settings/auth-keys", "Create auth key"),
    "create-api-key": ("/api-keys", "Create API Key"),
    "invite": ("/users", "Invite User"),
    "add-nameserver": ("/dns", "Add nameserver"),
    "add-record": ("/dns", "Add record"),
    "add-rule": ("/acls", "Add Rule"),
    "add-attribute-policy": ("/abac", "Add policy"),
    "create-group": ("/segmentation", "Create Group"),
    "request-access": ("/jit", "Request access"),
    "create-posture-policy": ("/posture-policies", "Create Policy"),
    "record-flows": ("/flows", "Record flows"),
    "add-policy-test": ("/acls/tests", "Add test"),
    "new-review": ("/access-reviews", "New review"),
    "add-webhook": ("/webhooks", "Add webhook"),
    "webhook-deliveries": ("/webhooks", "Deliveries"),
}
FAILING = (
    *("dashboard", "machines", "audit-log", "dns", "acls", "attribute-policies", "segmentation", "jit"),
    *("posture-policies", "flows", "webhooks", "settings"),
)
REFUSED = (
    '{"success":false,"data":null,"error":{"code":"SERVICE_UNAVAILABLE","message":"The database is down."}}'
)


class Camera:
    """One browser context that goes from page to page and keeps what went wrong."""

    def __init__(self, page: Page, base: str, out: Path, suffix: str) -> None:
        self.page, self.base, self.out, self.suffix = page, base, out, suffix
        self.faults: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))

    def _on_console(self, message) -> None:
        # A refused call is told to the person; the browser logs it besides, which is no fault of the page.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(f"{self.page.url}: {message.text}")

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)
        self.page.locator("h1, h3").first.wait_for()
        self.page.get_by_role("status", name="Loading").first.wait_for(state="detached")

    def shoot(self, name: str) -> None:
        self.page.wait_for_timeout(350)  # entrance animations
        self.page.screenshot(path=self.out / f"{name}-{self.suffix}.png", full_page=True)
        if self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            self.faults.append(f"{name}-{self.suffix}: scrolls sideways")

    def sign_in(self, email: str, password: str) -> None:
        self.open("/auth")
        self.shoot("auth")
        self.page.get_by_role("tab", name="Sign Up").click()
        self.shoot("auth-sign-up")
        self.page.get_by_role("tab", name="Sign in").click()
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/dashboard")


@contextmanager
def camera(browser: Browser, base: str, out: Path, theme: str, width: str) -> Iterator[Camera]:
    wide, high = WIDTHS[width]
    context = browser.new_context(
        viewport={"width": wide, "height": high}, color_scheme=theme, reduced_motion="reduce"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    try:
        yield Camera(context.new_page(), base, out, f"{theme}-{width}")
    finally:
        context.close()


def shoot_all(camera: Camera) -> None:
    for name, path in PAGES.items():
        camera.open(path)
        camera.shoot(name)
    for name, (path, button) in DIALOGS.items():
        camera.open(path)
        trigger = camera.page.get_by_role("button", name=button).first
        if trigger.count():
            trigger.click()
            camera.shoot(f"dialog-{name}")
    shoot_machine(camera)
    shoot_shell(camera)
    shoot_failures(camera)


def shoot_machine(camera: Camera) -> None:
    camera.open("/machines")
    first = camera.page.get_by_role("table", name="Machines").get_by_role("link").first
    if not first.count():
        return
    first.click()
    camera.page.wait_for_url("**/machines/*-*")
    camera.page.get_by_role("heading", name="Machine Details").wait_for()
    camera.shoot("machine")
    edit = camera.page.get_by_role("button", name="Edit")
    if edit.count():
        edit.click()
        camera.shoot("dialog-edit-machine")
        camera.page.keyboard.press("Escape")
        camera.page.get_by_role("button", name="More actions").click()
        camera.shoot("menu-machine")


def shoot_shell(camera: Camera) -> None:
    camera.open("/dashboard")
    camera.page.keyboard.press("Control+k")
    camera.page.get_by_role("combobox", name="Search pages").fill("a")
    camera.shoot("palette")
    camera.page.keyboard.press("Escape")
    if "narrow" in camera.suffix:
        camera.page.get_by_role("button", name="Open menu").click()
        camera.shoot("drawer")
    camera.open("/audit-log")
    event = camera.page.get_by_role("button", name="show details").first
    if event.count():
        event.click()
        camera.shoot("audit-event")


def shoot_failures(camera: Camera) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(
            status=503,
            content_type="application/json",
            headers={"X-Request-Id": "0f8c-example"},
            body=REFUSED,
        )

    camera.page.route("**/api/db/**", refuse)
    camera.page.route("**/api/governance", refuse)
    camera.page.route("**/api/dns-management", refuse)
    camera.page.route("**/api/policy", refuse)
    camera.page.route("**/api/org-management", refuse)
    for name in FAILING:
        camera.page.goto(camera.base + PAGES[name])
        camera.page.get_by_role("button", name="Retry").first.wait_for(timeout=15_000)
        camera.shoot(f"{name}-error")


def run(playwright: Playwright, base: str, email: str, password: str, out: Path) -> list[str]:
    out.mkdir(parents=True, exist_ok=True)
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    faults: list[str] = []
    for theme in THEMES:
        for width in WIDTHS:
            print(f"{theme}, {width}", file=sys.stderr)
            with camera(browser, base, out, theme, width) as view:
                view.sign_in(email, password)
                shoot_all(view)
                faults += view.faults
    browser.close()
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", help="address of the control plane")
    parser.add_argument("email")
    parser.add_argument("password")
    parser.add_argument("out", type=Path, help="folder for the pictures")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        faults = run(playwright, options.base.rstrip("/"), options.email, options.password, options.out)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
