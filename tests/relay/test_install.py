"""deploy/relay/install.sh below a directory, and the relay that it leaves there."""

import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.lab.pki import Authority
from tests.relay.test_process import Process, process  # noqa: F401 the fixture

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "relay" / "install.sh"
UNIT = ROOT / "deploy" / "relay" / "quickztna-relay.service"
JWKS = "https://control.example.com/.well-known/jwks.json"


def install(root, *options):
    command = [SCRIPT, "--root", root, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=180)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    certificate, key = Authority(root / "pki").issue("relay.test")
    options = ("--region", "lon1", "--jwks", JWKS, "--certificate", certificate, "--private-key", key)
    result = install(root, *options)
    assert result.returncode == 0, result.stderr
    return root


def test_what_it_leaves(installed):
    etc = installed / "etc" / "quickztna-relay"
    assert (etc / "relay.env").read_text() == f"QZRELAY_REGION=lon1\nQZRELAY_JWKS={JWKS}\n"
    modes = {path.name: path.stat().st_mode & 0o777 for path in etc.iterdir()}
    assert modes == {"relay.env": 0o600, "relay.pem": 0o644, "relay.key": 0o600}
    assert (installed / "etc/systemd/system/quickztna-relay.service").read_bytes() == UNIT.read_bytes()
    current = os.readlink(installed / "opt/quickztna-relay/current")
    assert current.startswith("/opt/quickztna-relay/releases/")


async def test_what_it_leaves_is_a_relay(installed, process):  # noqa: F811
    (release,) = (installed / "opt/quickztna-relay/releases").iterdir()
    # None of the checkout or of its packages.
    environment = {"PATH": os.environ["PATH"], **process.settings}
    process.process = subprocess.Popen(
        [release / "venv/bin/python", "-m", "relay"], cwd=release, env=environment
    )
    await process.ready()
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{process.admin_port}/metrics")
    assert "quickztna_relay_clients 0" in answer.text
    alpha = await process.client().up()
    assert alpha.link.tls_group == "X25519MLKEM768"


def test_an_upgrade_keeps_the_settings_and_one_release_before(installed):
    env = installed / "etc/quickztna-relay/relay.env"
    env.write_text(env.read_text() + "QZRELAY_WORKERS=2\n")
    before = env.read_text()
    for _ in range(2):
        result = install(installed)
        assert result.returncode == 0, result.stderr
    assert env.read_text() == before
    opt = installed / "opt/quickztna-relay"
    names = sorted(path.name for path in (opt / "releases").iterdir())
    assert len(names) == 2
    assert os.readlink(opt / "current").endswith(names[-1])
    install(installed, "--region", "lon2", "--jwks", JWKS)
    assert env.read_text() == f"QZRELAY_REGION=lon2\nQZRELAY_JWKS={JWKS}\nQZRELAY_WORKERS=2\n"


def test_a_key_to_report_with_is_roots_and_the_service_gets_a_copy(installed, tmp_path):
    key = tmp_path / "key"
    key.write_text("rk_live_x\n")
    result = install(installed, "--report-key", key)
    assert result.returncode == 0, result.stderr
    kept = installed / "etc/quickztna-relay/report.key"
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("rk_live_x\n", 0o600)
    added = installed / "etc/systemd/system/quickztna-relay.service.d/report.conf"
    assert added.read_bytes() == (UNIT.parent / "report.conf").read_bytes()
    assert "rk_live_x" not in result.stdout + result.stderr
    install(installed)
    assert kept.exists()
    assert added.exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "needs all four settings"),
        (("--region",), "needs a value"),
        (("--region", "lon 1"), "letters, digits"),
        (("--region", "lon1\nX=y"), "letters, digits"),
        (("--jwks", "http://control.example.com/"), "https address"),
        (("--python", "/bin/false"), "Python 3.11"),
        (("--report-key", "/nowhere"), "cannot read"),
        (("--nonsense",), "unknown option"),
    ],
)
def test_what_is_refused_changes_nothing(tmp_path, options, reason):
    certificate, key = Authority(tmp_path / "pki").issue("relay.test")
    given = {"--region": "lon1", "--jwks": JWKS, "--certificate": certificate, "--private-key": key}
    good = [part for pair in given.items() for part in pair] if options else []
    root = tmp_path / "root"
    result = install(root, *good, *options)
    assert result.returncode != 0
    assert reason in result.stderr
    assert not root.exists()


def test_a_key_of_another_certificate_is_refused(tmp_path):
    authority = Authority(tmp_path / "pki")
    certificate, other = authority.issue("relay.test")[0], authority.issue("other.test")[1]
    options = ("--region", "lon1", "--jwks", JWKS, "--certificate", certificate, "--private-key", other)
    result = install(tmp_path / "root", *options)
    assert result.returncode != 0
    assert "do not belong together" in result.stderr
    assert not (tmp_path / "root").exists()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_takes_the_unit(tmp_path):
    unit = tmp_path / UNIT.name
    # The program is not installed here.
    unit.write_text(UNIT.read_text().replace("/opt/quickztna-relay/current/venv/bin/python", "/bin/true"))
    added = tmp_path / f"{UNIT.name}.d"
    added.mkdir()
    shutil.copy(UNIT.parent / "report.conf", added)
    result = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
