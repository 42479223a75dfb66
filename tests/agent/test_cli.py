"""The command line as a program: text, exit codes, JSON, and never a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.commands.ping import _print_summary, _summary
from agent.state import Config, Store, Tokens
from tests.agent.test_state import MACHINE

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ztna(tmp_path):
    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "agent", *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "QUICKZTNA_CONFIG_DIR": str(tmp_path / "profile"),
                **environment,
            },
        )

    run.store = Store(tmp_path / "profile")
    return run


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--help"], 0, "Join this machine"),
        (["up", "--help"], 0, "--daemon"),
        (["connect", "--help"], 0, "--daemon"),
        (["nonsense"], 1, "No such command"),
        (["ping"], 1, "Missing argument"),
        (["status", "--nonsense"], 1, "No such option"),
        (["--log-level", "loud", "status"], 1, "log-level"),
        (["ip"], 1, "not registered. Run 'ztna up' first"),
        (["peers"], 1, "not registered"),
        (["machines", "list"], 1, "not authenticated. Run 'ztna login' first"),
        (["down"], 0, "VPN not running"),
        (["log"], 0, "No log yet."),
        (["logout"], 0, "not signed in"),
        (["dns", "status"], 1, "Run 'ztna login'"),
        (["status"], 0, "Machine: Not registered (run 'ztna up')"),
        (["status"], 0, "Authenticated: false (run 'ztna login')"),
        (["login", "--device", "--interactive"], 1, "choose one"),
        (["login", "--api-url", "http://control.example"], 1, "https://"),
        (["login", "--interactive", "--timeout", "soon"], 1, "duration"),
    ],
)
def test_text_and_exit_codes(ztna, arguments, status, text):
    result = ztna(*arguments)
    assert result.returncode == status, result.stderr
    assert text in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_an_enrolled_machine_answers_without_daemon_and_network(ztna):
    ztna.store.save(MACHINE)
    ztna.store.save(Config(api_url="https://127.0.0.1:1", org_id="o"))
    assert ztna("ip").stdout == "100.64.0.1\n"
    assert json.loads(ztna("ip", "--json").stdout) == {"name": "alpha", "ipv4": "100.64.0.1", "ipv6": None}
    assert ztna("ip", "beta").returncode == 1
    status = json.loads(ztna("status", "--json=true").stdout)
    assert (status["connected"], status["mode"], status["tailnet_ip"]) == (
        False,
        "disconnected",
        "100.64.0.1",
    )
    assert "peers" not in json.loads(ztna("status", "--json", "--peers=false").stdout)
    assert ztna("ping", "beta").returncode == 1
    assert "VPN not running" in ztna("ping", "beta").stderr
    assert ztna("whois", "8.8.8.8").returncode == 1
    assert json.loads(ztna("whois", "100.64.0.1:22", "--json").stdout)["name"] == "alpha"


def test_no_command_prints_a_secret(ztna):
    ztna.store.save(MACHINE)
    ztna.store.save(Tokens("access-secret", "refresh-secret"))
    for arguments in (["status"], ["peers"], ["ip"], ["whois", "100.64.0.1"], ["version", "--verbose"]):
        for form in (arguments, [*arguments, "--json"]):
            text = ztna(*form).stdout
            assert "nk_live_" not in text
            assert "secret" not in text


def test_a_failure_is_json_too_when_json_was_asked_for(ztna):
    result = ztna("peers", "--json")
    assert json.loads(result.stdout)["error"]["code"] == "NOT_REGISTERED"
    assert result.returncode == 1


def test_version_is_one_line(ztna):
    import re

    assert re.fullmatch(r"ztna version \d+\.\d+\.\d+ \(built \S+, \w+/\w+\)\n", ztna("version").stdout)
    assert ztna("--version").stdout == ztna("version").stdout


def test_a_closed_pipe_ends_quietly(ztna, tmp_path):
    log = tmp_path / "profile" / "ztna.log"
    log.parent.mkdir()
    log.write_text("line\n" * 100_000)
    command = f"{sys.executable} -m agent log -n 100000 | head -1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "QUICKZTNA_CONFIG_DIR": str(log.parent)},
    )
    assert result.stdout == "line\n0\n"
    assert result.stderr == ""


def test_an_unreachable_control_plane_is_named(ztna):
    result = ztna("login", "--device", "--api-url", "https://127.0.0.1:8299")
    assert result.returncode == 1
    assert "cannot reach https://127.0.0.1:8299" in result.stderr


def test_ip_imports_nothing_heavy(ztna):
    ztna.store.save(MACHINE)
    code = (
        "import sys; from agent.cli.main import main\n"
        "try: main(['ip'])\n"
        "except SystemExit: pass\n"
        "heavy = ('asyncio', 'httpx', 'cryptography', 'nacl', 'pyroute2')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "QUICKZTNA_CONFIG_DIR": str(ztna.store.directory)},
    )
    assert result.stdout == "100.64.0.1\n[]\n"


def test_status_says_what_this_machine_offers(ztna):
    ztna.store.save(MACHINE)
    ztna.store.save(Tokens("access", "refresh"))
    ztna.store.save(Config(advertise_routes=("10.9.0.0/24",), advertise_exit_node=True, shields_up=True))
    lines = [line.strip() for line in ztna("status").stdout.splitlines()]
    for line in (
        "Authenticated: true",
        "AdvertisedRoutes: 10.9.0.0/24",
        "ExitNode: advertising",
        "Shields: up",
    ):
        assert line in lines
    status = json.loads(ztna("status", "--json").stdout)
    assert status["node_key"] == status["public_key"] == MACHINE.wireguard_public_key
    assert (status["ssh"], status["dns"]) == (False, {"enabled": False, "blocked": 0})
    assert status["arch"] == json.loads(ztna("version", "--json").stdout)["arch"]


def test_a_ping_that_nobody_answers_says_so(capsys):
    lost = {"ms": None, "path": None, "error": "unreachable"}
    _print_summary(_summary("beta", "100.64.0.2", [{"seq": seq, **lost} for seq in (1, 2, 3)]))
    told = capsys.readouterr()
    assert "0/3 probes succeeded — peer unreachable" in told.out
    assert "ztna acl test" in told.err


def test_a_password_that_is_piped_in_is_neither_warned_of_nor_shown(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "agent", "login", "--interactive", "--api-url", "http://127.0.0.1:9"],
        input="ada@example.test\nopen sesame\n",
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "QUICKZTNA_CONFIG_DIR": str(tmp_path)},
    )
    assert result.returncode == 1
    assert "cannot reach http://127.0.0.1:9" in result.stderr
    assert "Warning" not in result.stderr
    assert "sesame" not in result.stdout + result.stderr
