"""`./dev shot [dir]`: every console page, light and dark, wide and narrow, on a live lab."""

import subprocess
import sys
from pathlib import Path

from tests.lab.demo import enrol, settled
from tests.lab.site import ROOT, Account, Site, site, wait_until


def main() -> int:
    """Start the demo's lab and let the console's screenshot script loose on it."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "var" / "shots").resolve()
    target.mkdir(parents=True, exist_ok=True)
    with site(ROOT / "var" / "shot-site") as running:
        account = running.sign_up("Acme")
        machines = enrol(running, account)
        add_webhook(running, account)
        wait_until(lambda: settled(machines), "a path between every pair", 60, pause=0.5)
        script = ROOT / "frontend" / "scripts" / "shot.py"
        arguments = [running.console_url, account.email, account.password, str(target)]
        status = subprocess.run([sys.executable, str(script), *arguments], timeout=600).returncode
    print(target)
    return status


def add_webhook(running: Site, account: Account) -> None:
    """One that nobody answers, and an event for it."""
    url = "https://hooks.example.com/quickztna?token=example"
    for topic, values in (
        ("webhooks", {"action": "create", "url": url, "events": ["jit.*", "machine.*"]}),
        (
            "governance",
            {"action": "jit_request", "source_selector": "tag:ci", "destination_selector": "tag:db"},
        ),
    ):
        body = {**values, "org_id": account.org_id}
        running.request("POST", f"/api/{topic}", token=account.token, json=body)


if __name__ == "__main__":
    sys.exit(main())
