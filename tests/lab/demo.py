"""`./dev demo`: three machines behind NATs join one network, live in a console."""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from tests.lab.nats import Nat
from tests.lab.net import LabError, parse_ping
from tests.lab.site import ROOT, Account, Machine, Site, site, wait_until

CONSOLE_PORT = 8080
PINGS = 20
MACHINES = {
    "alpha": Nat.PORT_RESTRICTED,
    "beta": Nat.PORT_RESTRICTED,
    "gamma": Nat.SYMMETRIC,
}
# Both NATs keep one mapping for all destinations, so this pair has no excuse for the relay.
MUST_BE_DIRECT = ("alpha", "beta")


class Reporter:
    """Steps on standard error, each with the time it took."""

    def __init__(self) -> None:
        self._began = self._step = time.monotonic()
        self._tty = sys.stderr.isatty()
        self._open = False

    def __call__(self, text: str) -> None:
        """Finish the step before and name the next one."""
        self.done()
        self._step, self._open = time.monotonic(), True
        sys.stderr.write(f"  … {text}" if self._tty else f"  · {text}\n")
        self._text = text
        sys.stderr.flush()

    def done(self) -> None:
        """Finish the current step."""
        if self._open and self._tty:
            took = time.monotonic() - self._step
            sys.stderr.write(f"\r\033[32m  ✓\033[0m {self._text} \033[2m{took:.1f} s\033[0m\n")
        self._open = False

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began


def enrol(
    running: Site, account: Account, environment: Mapping[str, str] | None = None
) -> dict[str, Machine]:
    """Three machines, each behind a NAT of its own, brought up with one auth key."""
    key = running.auth_key(account)
    machines = {}
    for name, nat in MACHINES.items():
        host = running.lab.private_host(name, running.lab.nat(nat))
        machines[name] = running.machine(host)
        machines[name].environment.update(environment or {})
        machines[name].up(key)
        machines[name].shortcut(running.directory / name)
    return machines


def pair_view(machines: dict[str, Machine], a: str, b: str) -> tuple[str, str] | None:
    """(path, psk) as both ends see it, or None while they have no path."""
    ends = [machines[a].peers().get(b), machines[b].peers().get(a)]
    paths = [end["path"] if end else None for end in ends]
    if any(path not in ("direct", "derp", "relay") for path in paths):
        return None
    path = "direct" if paths == ["direct", "direct"] else "relay"
    hybrid = all(end and end["pqc"]["state"] == "verified" for end in ends)
    return path, "hybrid" if hybrid else "classical"


def settled(machines: dict[str, Machine]) -> bool:
    """Whether every pair has a hybrid path, and the pair that must be direct is."""
    for process in (machine.process for machine in machines.values()):
        if process is not None and process.poll() is not None:
            raise LabError("an agent ended; see the logs beside this demo's state")
    views = {pair: pair_view(machines, *pair) for pair in combinations(machines, 2)}
    if any(view is None or view[1] != "hybrid" for view in views.values()):
        return False
    direct = views[MUST_BE_DIRECT]
    return direct is not None and direct[0] == "direct"


def measure(machines: dict[str, Machine]) -> list[dict[str, Any]]:
    """Ping along every pair through the tunnel."""
    pairs = []
    for a, b in combinations(machines, 2):
        path, psk = pair_view(machines, a, b) or ("none", "classical")
        target = machines[a].ztna("ip", b).strip()
        figures = parse_ping(
            machines[a].host.run("ping", "-n", "-c", str(PINGS), "-i", "0.05", "-W", "2", target, check=False)
        )
        pairs.append(
            {
                "a": a,
                "b": b,
                "path": path,
                "psk": psk,
                "rtt_ms": figures.get("rtt_ms"),
                "loss_pct": figures["loss_pct"],
            }
        )
    return pairs


def console_ok(running: Site, account: Account) -> bool:
    """Whether the console is served and shows every machine online to its administrator."""
    page = httpx.get(f"{running.console_url}/machines", timeout=10)
    if page.status_code != 200 or '<div id="root">' not in page.text:
        return False
    login = running.request(
        "POST", "/api/auth/login", json={"email": account.email, "password": account.password}
    )
    rows = running.request(
        "GET",
        f"/api/db/machines?org_id={account.org_id}&status=eq.online&select=name,status",
        token=login["token"],
    )
    return {row["name"] for row in rows} == set(MACHINES)


def show(running: Site, account: Account, machines: dict[str, Machine], pairs: list[dict[str, Any]]) -> None:
    """The result as a person wants to see it."""
    print("\n  MACHINE  ADDRESS           NAT")
    for name, machine in machines.items():
        print(f"  {name:<8} {machine.ztna('ip').strip():<17} {MACHINES[name]}")
    print("\n  PAIR             PATH     PSK        LATENCY   LOSS")
    for pair in pairs:
        latency = f"{pair['rtt_ms']:.1f} ms" if pair["rtt_ms"] is not None else "-"
        names = f"{pair['a']} - {pair['b']}"
        print(f"  {names:<16} {pair['path']:<8} {pair['psk']:<10} {latency:<9} {pair['loss_pct']:.0f} %")
    shortcut = os.path.relpath(running.directory / "alpha")
    print(f"\n  Console   {running.console_url}")
    print(f"  Sign in   {account.email}   {account.password}")
    print(f"  Try       {shortcut} status    {shortcut} ping beta\n", flush=True)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM into an orderly end."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def run(*, check: bool, port: int) -> int:
    """Exit status of the demo."""
    report = Reporter()
    directory = ROOT / "var" / "demo"
    shutil.rmtree(directory, ignore_errors=True)
    with site(directory, console_port=0 if check else port, progress=report) as running:
        report("signing up an administrator")
        account = running.sign_up("Demo")
        report("enrolling alpha, beta and gamma behind their NATs")
        machines = enrol(running, account)
        report("waiting for a hybrid path between every pair")
        timed_out = False
        try:
            wait_until(lambda: settled(machines), "a path between every pair", 60, pause=0.5)
        except LabError as error:
            timed_out = True
            report(str(error))
        report("pinging along every pair")
        pairs = measure(machines)
        report("asking the console")
        seen = console_ok(running, account)
        report.done()
        ok = not timed_out and seen and all(p["psk"] == "hybrid" and p["loss_pct"] == 0 for p in pairs)
        seconds = round(report.seconds, 1)
        show(running, account, machines, pairs)
        if not check:
            print("  Ctrl-C ends the demo and removes everything it made.", flush=True)
            signal.pause()
        result = {
            "ok": ok,
            "machines": len(machines),
            "pairs": pairs,
            "console_ok": seen,
            "seconds": seconds,
        }
    print(json.dumps(result))
    return 0 if ok else 1


def main() -> int:
    """Parse arguments, refuse early what cannot work, run."""
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="show, verify, print one JSON object and exit")
    parser.add_argument("--port", type=int, default=CONSOLE_PORT, help="the console's port on 127.0.0.1")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("demo: network namespaces need root: run `sudo ./dev demo`", file=sys.stderr)
        return 1
    if not Path("/dev/net/tun").exists():
        print("demo: /dev/net/tun is missing: run `modprobe tun`", file=sys.stderr)
        return 1
    try:
        with interruptible():
            return run(check=options.check, port=options.port)
    except KeyboardInterrupt:
        print("\n  ended, nothing left behind", file=sys.stderr)
        return 130
    except (LabError, OSError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
