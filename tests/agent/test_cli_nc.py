"""`ztna nc` and `ztna ssh` against real sockets of this host: bytes, ends, errors."""

import hashlib
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.state import Store
from tests.agent.test_state import MACHINE

ROOT = Path(__file__).resolve().parents[2]
BETA = {"machine_id": "6f2c", "name": "beta", "tailnet_ip": "100.64.0.2"}
HUGE = os.urandom(3_000_000)


class Echo(socketserver.BaseRequestHandler):
    """Says back what it heard, and one line more after the other side's end."""

    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
        self.request.sendall(b"end\n")


@pytest.fixture
def echo():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def ztna(environment, *arguments, data=b"", timeout=20, **options):
    command = [sys.executable, "-m", "agent", *arguments]
    if "stdin" not in options:
        options["input"] = data
    return subprocess.run(command, capture_output=True, env=environment, cwd=ROOT, timeout=timeout, **options)


@pytest.fixture
def environment(tmp_path):
    store = Store(tmp_path / "profile")
    store.save(MACHINE)
    store.save_json("netmap.json", {"peers": [BETA]})
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "QUICKZTNA_CONFIG_DIR": str(tmp_path / "profile"),
    }


def test_bytes_go_both_ways_and_the_end_is_passed_on(environment, echo):
    done = ztna(environment, "nc", "127.0.0.1", str(echo), data=HUGE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(HUGE + b"end\n").digest()


def test_a_file_as_standard_input(environment, echo, tmp_path):
    (tmp_path / "huge").write_bytes(HUGE)
    with (tmp_path / "huge").open("rb") as file:
        done = ztna(environment, "nc", "127.0.0.1", str(echo), stdin=file)
    assert done.stdout == HUGE + b"end\n"


def test_udp(environment):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer():
            data, source = server.recvfrom(2048)
            server.sendto(data[::-1], source)

        threading.Thread(target=answer, daemon=True).start()
        done = ztna(
            environment, "nc", "-u", "-w", "1s", "127.0.0.1", str(server.getsockname()[1]), data=b"abc"
        )
    assert (done.returncode, done.stdout) == (0, b"cba")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("127.0.0.1", "1"), b"refused"),
        (("nobody", "22"), b"no machine 'nobody'"),
        # No route, or nobody there: which one depends on this host.
        (("-w", "300ms", "198.51.100.1", "9"), b"198.51.100.1:9: "),
    ],
)
def test_errors_are_words_on_stderr_only(environment, arguments, reason):
    done = ztna(environment, "nc", *arguments)
    assert (done.returncode, done.stdout) == (1, b"")
    assert reason in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_port_that_is_none(environment, port):
    assert ztna(environment, "nc", "127.0.0.1", port).returncode == 1


def fake_ssh(tmp_path):
    """A program called ssh that says what it was given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "ssh"
    script.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\nsys.exit(7)\n")
    script.chmod(0o755)
    return str(folder)


def test_ssh_is_given_the_address_and_a_key_alias_of_the_machine(environment, tmp_path):
    found = ztna({**environment, "PATH": fake_ssh(tmp_path)}, "ssh", "ada@beta", "--", "-p", "2222", "uptime")
    assert found.returncode == 7
    assert b"Resolved beta -> 100.64.0.2" in found.stderr
    given = json.loads(found.stdout)
    assert given[-4:] == ["ada@100.64.0.2", "-p", "2222", "uptime"]
    assert any(word.startswith("HostKeyAlias=6f2c") for word in given)


def test_ssh_refuses_to_pass_an_option_off_as_a_user(environment, tmp_path):
    found = ztna({**environment, "PATH": fake_ssh(tmp_path)}, "ssh", "--", "-oProxyCommand=id@beta")
    assert (found.returncode, found.stdout) == (1, b"")


def test_ssh_that_is_missing(environment, tmp_path):
    found = ztna({**environment, "PATH": str(tmp_path)}, "ssh", "beta")
    assert found.returncode == 1
    assert b"ssh not found in PATH" in found.stderr
