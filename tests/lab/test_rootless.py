"""An agent without root: tunnel in namespaces of its own, the way in by nc, ping and proxy."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.lab.nats import Nat
from tests.lab.site import ROOT, Machine, site, wait_until

pytestmark = pytest.mark.lab

NOBODY = 65534
PROXY_PORT = 1055
ECHO = """
import socketserver, sys
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
        self.request.sendall(b"end\\n")
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("0.0.0.0", int(sys.argv[1])), Echo).serve_forever()
"""
# Asks a proxy for a way to HOST PORT, then passes standard input on: argv is kind, host, port.
CLIENT = """
import socket, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.create_connection(("127.0.0.1", 1055), 10)
if kind == "socks":
    s.sendall(b"\\5\\1\\0"); assert s.recv(2) == b"\\5\\0"
    s.sendall(b"\\5\\1\\0\\3" + bytes([len(host)]) + host.encode() + port.to_bytes(2, "big"))
    answer = s.recv(10); print(answer[1])
    if answer[1]: sys.exit()
else:
    s.sendall(f"CONNECT {host}:{port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
    answer = s.recv(4096); print(answer.split()[1].decode())
    if b" 200 " not in answer: sys.exit()
s.sendall(b"hello"); s.shutdown(socket.SHUT_WR)
data = b""
while part := s.recv(4096): data += part
print(data.decode())
"""


def interpreter():
    """A Python that another user may run: this one may lie in somebody's home."""
    probe = subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "test", "-x",
         os.path.realpath(sys.executable)]
    )  # fmt: skip
    return sys.executable if probe.returncode == 0 else "/usr/bin/python3"


class Unprivileged(Machine):
    """`ztna` of a user without rights; /dev/net/tun is open to everybody, as distributions have it."""

    def __init__(self, running, host, device):
        super().__init__(running, host)
        self._device = device
        shutil.chown(self.directory, NOBODY, NOBODY)
        packages = Path(pytest.__file__).resolve().parents[1]
        self.environment |= {"PYTHONPATH": f"{ROOT}:{packages}", "HOME": str(self.directory)}

    @property
    def argv(self):
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        script = 'mount --bind "$0" /dev/net/tun && exec "$@"'
        return ["sh", "-c", script, str(self._device), *drop, interpreter(), "-m", "agent"]

    def up(self, auth_key=""):
        environment = {**self.environment, **({"ZTNA_AUTH_KEY": auth_key} if auth_key else {})}
        command = [*self.argv, "up", "--hostname", self.host.name, "--proxy", f"127.0.0.1:{PROXY_PORT}"]
        log = self.site._log(self.host.name)
        self.process = self.host.spawn(command, log=log, env=environment)


class Pair:
    def __init__(self, running, alpha, beta):
        self.site, self.alpha, self.beta = running, alpha, beta
        self.address = alpha.ztna("ip", "beta").strip()

    def client(self, *arguments):
        return self.alpha.host.run(sys.executable, "-c", CLIENT, *arguments).split("\n")


@pytest.fixture(scope="module")
def pair():
    # Not below pytest's own folder, which is closed to other users.
    directory = Path(tempfile.mkdtemp(prefix="qzrootless"))
    directory.chmod(0o711)
    device = directory / "tun"
    os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(10, 200))
    device.chmod(0o666)
    try:
        with site(directory) as running:
            (directory / "machines").mkdir(mode=0o711)
            (directory / "pki").chmod(0o711)
            lab = running.lab
            hosts = [lab.private_host(name, lab.nat(Nat.PORT_RESTRICTED)) for name in ("alpha", "beta")]
            alpha, beta = Unprivileged(running, hosts[0], device), running.machine(hosts[1])
            key = running.auth_key(running.sign_up("Lab"))
            for machine in (alpha, beta):
                machine.up(key)
            wait_until(lambda: (alpha.peers().get("beta") or {}).get("path") == "direct", "a direct path", 30)
            with (directory / "echo.log").open("wb") as log:
                hosts[1].spawn([sys.executable, "-c", ECHO, "7"], log=log)
            wait_until(lambda: ":7 " in hosts[1].run("ss", "-Hltn"), "the echo server", 5)
            yield Pair(running, alpha, beta)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_it_runs_without_any_right_and_leaves_the_host_alone(pair):
    pid = int((pair.alpha.directory / "ztna.pid").read_text())
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"Uid:\t{NOBODY}" in status
    assert "CapEff:\t0000000000000000" in status
    found = pair.alpha.json("status")
    assert (found["mode"], found["connected"]) == ("userspace", True)
    assert pair.alpha.peers()["beta"]["pqc"]["state"] == "verified"
    assert pair.alpha.environment["QUICKZTNA_INTERFACE"] not in pair.alpha.host.run("ip", "link")
    assert "100.64" not in pair.alpha.host.run("ip", "route", "show", "table", "all")
    metrics = pair.alpha.json("debug", "metrics")
    assert (metrics["userspace"], metrics["port"]) == (True, "owned")


def test_ping_takes_the_tunnel(pair):
    found = pair.alpha.json("ping", "beta", "--count", "3", "--interval", "100ms")
    assert (found["received"], found["probes"][0]["path"]) == (3, "direct")


def test_nc_carries_bytes_both_ways(pair):
    sent = os.urandom(2_000_000)
    done = subprocess.run(
        pair.alpha.host.command([*pair.alpha.argv, "nc", "beta", "7"]),
        input=sent,
        capture_output=True,
        env={**os.environ, **pair.alpha.environment},
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(sent + b"end\n").digest()


def test_nc_names_what_went_wrong(pair):
    command = pair.alpha.host.command([*pair.alpha.argv, "nc", "beta", "9"])
    done = subprocess.run(
        command, input=b"", capture_output=True, env={**os.environ, **pair.alpha.environment}, timeout=30
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"refused" in done.stderr


@pytest.mark.parametrize(("kind", "good", "bad"), [("socks", "0", "4"), ("http", "200", "502")])
def test_the_proxy_knows_machines_and_nothing_else(pair, kind, good, bad):
    assert pair.client(kind, "beta", "7")[:2] == [good, "helloend"]
    assert pair.client(kind, pair.address, "7")[:2] == [good, "helloend"]
    assert pair.client(kind, "example.com", "80")[0] == bad


def test_the_proxy_listens_on_loopback_only(pair):
    listening = pair.alpha.host.run("ss", "-Hltn")
    places = [line.split()[3] for line in listening.splitlines() if f":{PROXY_PORT}" in line]
    assert places == [f"127.0.0.1:{PROXY_PORT}"]
    sockets = [path for path in pair.alpha.directory.iterdir() if path.suffix == ".proxy"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in sockets] == [0o600]


def test_a_peer_gets_no_service_of_the_host(pair):
    """What the host serves on its own addresses is not reachable through the tunnel."""
    with (pair.site.directory / "host.log").open("wb") as log:
        pair.alpha.host.spawn([sys.executable, "-c", ECHO, "7070"], log=log)
    wait_until(lambda: ":7070 " in pair.alpha.host.run("ss", "-Hltn"), "a server", 5)
    command = pair.beta.host.command([*pair.beta.argv, "nc", "-w", "2s", "alpha", "7070"])
    done = subprocess.run(
        command, input=b"", capture_output=True, env={**os.environ, **pair.beta.environment}, timeout=30
    )
    assert done.returncode == 1, done


def test_a_killed_daemon_takes_everything_inside_with_it(pair):
    interface = pair.alpha.environment["QUICKZTNA_INTERFACE"]

    def inside():
        found = subprocess.run(
            ["pgrep", "-f", f"wireguard-go -f {interface}"], capture_output=True, text=True
        )
        return found.stdout.split()

    assert inside()
    os.kill(int((pair.alpha.directory / "ztna.pid").read_text()), 9)
    wait_until(lambda: not inside(), "the end of wireguard-go", 5)
    time.sleep(0.5)
    pair.alpha.up()
    wait_until(lambda: (pair.alpha.peers().get("beta") or {}).get("path") == "direct", "a direct path", 30)
