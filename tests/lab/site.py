"""A whole QuickZTNA in the lab: control plane, relay and machines, as real processes."""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import httpx

from tests.lab.delay import Link
from tests.lab.net import Host, Lab, LabError
from tests.lab.pki import Authority

ROOT = Path(__file__).resolve().parents[2]
REGION, OTHER_REGION = "lab1", "lab2"
CONTROL_PORT = 443
RELAY_ADMIN_PORT = 9090
START_SECONDS = 60
STOP_SECONDS = 10

# Both commands in one process: each start of Django takes over a second.
PREPARE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "quickztna.settings"
import django
from django.core.management import call_command
django.setup()
call_command("migrate", interactive=False, verbosity=0)
call_command("relay_regions", sys.argv[1])
"""

Progress = Callable[[str], None]


def wait_until(condition: Callable[[], Any], what: str, seconds: float, pause: float = 0.2) -> Any:
    """Poll until condition() is true and return its value; LabError names what did not come."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(pause)


@dataclass(frozen=True, slots=True)
class Account:
    """An administrator of the site, signed in."""

    email: str
    password: str
    token: str
    org_id: str = ""


# Regions of an organisation's own, which the API would refuse: the lab's internet is no public one.
OWN_REGIONS = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "quickztna.settings"
import django
django.setup()
from uuid import UUID
from apps.relays.models import DerpRegion
for entry in json.load(open(sys.argv[2])):
    print(DerpRegion.objects.create_in(UUID(sys.argv[1]), **entry, enabled=False).pk)
"""


class Site:
    """Control plane on one public host, relay and STUN of each region on another.

    The console listens on 127.0.0.1 of the caller's own namespace: the listening socket is made
    there and handed to the process inside the lab.
    """

    def __init__(
        self, lab: Lab, directory: Path, *, console_port: int = 0, regions: tuple[str, ...] = (REGION,)
    ) -> None:
        self.lab, self.directory = lab, directory
        self.control, self.relay = (lab.public_host(name, ipv6=True) for name in ("control", "relay"))
        more = {region: lab.public_host(f"relay-{region}", ipv6=True) for region in regions[1:]}
        self.relays = {regions[0]: self.relay, **more}
        self._listener = socket.create_server(("127.0.0.1", console_port))
        self.console_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.control_url = f"https://{self.control.address}"
        self.authority = Authority(directory / "pki")
        self._certificate = self.authority.issue("control.lab", *_addresses(self.control))
        self._control_process: subprocess.Popen[bytes] | None = None
        self._regions_file = directory / "regions.json"
        self._relay_processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[IO[bytes]] = []

    def prepare(self) -> None:
        """Make the database and name the lab's relay region."""
        entries = [
            {
                "region_code": region,
                "region_name": f"Lab {region}",
                "hostname": f"{region}.relay.lab",
                "ipv4": host.address,
                "ipv6": host.address6,
            }
            for region, host in self.relays.items()
        ]
        self._regions_file.write_text(json.dumps(entries))
        self._in_django(PREPARE, str(self._regions_file))

    def own_regions(self, account: "Account") -> dict[str, str]:
        """Give an organisation all of the lab's relays as its own regions, disabled; their ids by code."""
        ids = self._in_django(OWN_REGIONS, account.org_id, str(self._regions_file)).split()
        return dict(zip(self.relays, ids, strict=True))

    def _in_django(self, script: str, *arguments: str) -> str:
        """What a script prints that has the control plane's database."""
        result = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=ROOT,
            env={**os.environ, **self._control_environment()},
            capture_output=True,
            text=True,
            timeout=120,
        )
        if result.returncode:
            raise LabError(f"in the control plane's database: {result.stderr.strip()[-2000:]}")
        return result.stdout

    def set_up_django(self) -> None:
        """Give this process the control plane's database."""
        os.environ |= {**self._control_environment(), "DJANGO_SETTINGS_MODULE": "quickztna.settings"}
        import django

        django.setup()

    def start_control(self) -> None:
        """Start the control plane and wait until it says that it is well."""
        certificate, key = self._certificate
        self._control_process = self.control.spawn(
            [
                *(sys.executable, str(ROOT / "manage.py"), "serve"),
                *("--fd", str(self._listener.fileno())),
                *("--tls", f":{CONTROL_PORT}"),
                *("--tls-certificate", str(certificate), "--tls-key", str(key)),
            ],
            log=self._log("control"),
            env=self._control_environment(),
            pass_fds=[self._listener.fileno()],
        )
        wait_until(self._healthy, "a healthy control plane", START_SECONDS)

    def stop_control(self) -> None:
        """Stop it as an operator would; tunnels must not notice."""
        _stop(self._control_process)

    def start_relay(self, region: str = REGION) -> None:
        """Start relay and STUN of a region and wait until the relay listens."""
        host = self.relays[region]
        certificate, key = self.authority.issue(f"{region}.relay.lab", *_addresses(host))
        self._relay_processes[region] = host.spawn(
            [sys.executable, "-m", "relay"],
            log=self._log(host.name),
            env={
                "PYTHONPATH": str(ROOT),
                "QZRELAY_REGION": region,
                "QZRELAY_CERTIFICATE": str(certificate),
                "QZRELAY_PRIVATE_KEY": str(key),
                "QZRELAY_JWKS": f"{self.control_url}/.well-known/jwks.json",
                "QZRELAY_CA_FILE": str(self.authority.ca_file),
                "QZRELAY_ADMIN_PORT": str(RELAY_ADMIN_PORT),
            },
        )
        wait_until(lambda: ":443 " in host.run("ss", "-Hltn"), "a listening relay", START_SECONDS)

    def stop_relay(self, region: str = REGION, signal: int = 15) -> None:
        """Stop the relay; clients are told to come back, unless it is killed."""
        _stop(self._relay_processes.get(region), signal)

    def request(self, method: str, path: str, *, token: str = "", **options: Any) -> Any:
        """Call the API and return `data`; LabError carries code and message of a refusal."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with httpx.Client(base_url=self.console_url, timeout=20) as http:
            response = http.request(method, path, headers=headers, **options)
        envelope = response.json()
        if not envelope["success"]:
            error = envelope["error"]
            raise LabError(f"{method} {path}: {error['code']}: {error['message']}")
        return envelope["data"]

    def sign_up(self, organisation: str) -> Account:
        """A first administrator with an organisation of his own."""
        account = self._person("admin@example.test", "Ada Admin")
        created = self.request(
            "POST",
            "/api/org-management",
            token=account.token,
            json={"action": "create", "name": organisation},
        )
        return replace(account, org_id=created["id"])

    def join(self, account: Account, email: str, role: str = "member") -> Account:
        """Another person, invited into the organisation of account."""
        invitation = {"action": "invite_member", "org_id": account.org_id, "email": email, "role": role}
        body = {**invitation, "copy_link": True}
        token = self.request("POST", "/api/org-management", token=account.token, json=body)["token"]
        person = self._person(email, email.partition("@")[0].title())
        self.request("POST", "/api/accept-invitation", token=person.token, json={"token": token})
        return replace(person, org_id=account.org_id)

    def auth_key(self, account: Account, **options: Any) -> str:
        """A reusable auth key."""
        body = {"action": "create_auth_key", "org_id": account.org_id, "name": "lab", "reusable": True}
        answer = self.request("POST", "/api/key-management", token=account.token, json={**body, **options})
        return str(answer["key"])

    def machine(self, host: Host) -> "Machine":
        """The agent on a host of the lab."""
        return Machine(self, host)

    def close(self) -> None:
        """Close what is not a process of the lab."""
        self._listener.close()
        for log in self._logs:
            log.close()

    def _person(self, email: str, name: str) -> Account:
        password = secrets.token_urlsafe(15)
        credentials = {"email": email, "password": password, "full_name": name}
        return Account(email, password, self.request("POST", "/api/auth/signup", json=credentials)["token"])

    def _healthy(self) -> bool:
        process = self._control_process
        if process is not None and process.poll() is not None:
            tail = (self.directory / "control.log").read_text()[-2000:]
            raise LabError(f"the control plane ended with status {process.returncode}:\n{tail}")
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.console_url}/api/health", timeout=2).status_code == 200
        return False

    def _control_environment(self) -> dict[str, str]:
        return {
            "QZTNA_DATA_DIR": str(self.directory / "control"),
            "QZTNA_PUBLIC_URL": self.console_url,
            "QZTNA_RELAY_CA_FILE": str(self.authority.ca_file),
            "QZTNA_ALLOWED_HOSTS": f"127.0.0.1,localhost,{self.control.address},[{self.control.address6}]",
        }

    def _log(self, name: str) -> IO[bytes]:
        log = (self.directory / f"{name}.log").open("ab")
        self._logs.append(log)
        return log


class Machine:
    """One `ztna` on a host of the lab, with a state directory of its own."""

    def __init__(self, site: Site, host: Host) -> None:
        self.site, self.host = site, host
        self.directory = site.directory / "machines" / host.name
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {
            "PYTHONPATH": str(ROOT),
            "QUICKZTNA_CONFIG_DIR": str(self.directory),
            "QUICKZTNA_CA_FILE": str(site.authority.ca_file),
            # Control sockets of wireguard-go live in one directory for all namespaces of a host.
            "QUICKZTNA_INTERFACE": f"zt{os.getpid() % 100_000}{host.name[:5]}",
            "ZTNA_API_URL": site.control_url,
            "NO_COLOR": "1",
        }

    @property
    def argv(self) -> list[str]:
        """What runs `ztna` here."""
        return [sys.executable, "-m", "agent"]

    def up(self, auth_key: str = "") -> None:
        """Start the agent in the foreground of a background process."""
        environment = {**self.environment, **({"ZTNA_AUTH_KEY": auth_key} if auth_key else {})}
        command = [*self.argv, "up", "--hostname", self.host.name]
        self.process = self.host.spawn(command, log=self.site._log(self.host.name), env=environment)

    def stop(self) -> None:
        """Stop the agent as Ctrl-C would."""
        _stop(self.process, signal=2)

    def ztna(self, *arguments: str, check: bool = True, timeout: float = 30) -> str:
        """Run a `ztna` command and return its standard output."""
        return self.host.run(*self.argv, *arguments, env=self.environment, check=check, timeout=timeout)

    def json(self, *arguments: str) -> Any:
        """The JSON document of a `ztna` command, or None while there is none."""
        output = self.ztna(*arguments, "--json", check=False)
        try:
            document = json.loads(output)
        except ValueError:
            return None
        return None if isinstance(document, dict) and "error" in document else document

    def peers(self) -> dict[str, Any]:
        """Peers by name."""
        return {peer["name"]: peer for peer in self.json("peers") or [] if peer.get("path") != "self"}

    def shortcut(self, path: Path) -> None:
        """Write a script that runs `ztna` on this machine, for people."""
        settings = [f"{name}={value}" for name, value in self.environment.items() if name != "NO_COLOR"]
        command = self.host.command(["env", *settings, *self.argv])
        path.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in command) + ' "$@"\n')
        path.chmod(0o755)


@contextlib.contextmanager
def site(
    directory: Path,
    *,
    console_port: int = 0,
    progress: Progress = lambda text: None,
    link: Link | None = None,
    regions: tuple[str, ...] = (REGION,),
) -> Iterator[Site]:
    """A running control plane and relay in a lab that ends with the block."""
    directory.mkdir(parents=True, exist_ok=True)
    with Lab(link) as lab:
        instance = Site(lab, directory, console_port=console_port, regions=regions)
        try:
            progress("preparing the database")
            instance.prepare()
            progress("starting the control plane and its worker")
            instance.start_control()
            progress("starting relay and STUN")
            for region in regions:
                instance.start_relay(region)
            yield instance
        finally:
            lab.close()
            instance.close()


def _addresses(host: Host) -> list[str]:
    return [address for address in (host.address, host.address6) if address]


def _stop(process: subprocess.Popen[bytes] | None, signal: int = 15) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
