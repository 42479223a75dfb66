"""Files of a profile: whole or not at all, and for their owner only."""

import errno
import json
import os

import pytest

from agent.errors import AgentError
from agent.settings import check_api_url, load
from agent.state import Config, MachineState, Store, Tokens

MACHINE = MachineState(
    machine_id="m",
    org_id="o",
    name="alpha",
    magicdns_name="alpha.acme.zt.net",
    tailnet_ip="100.64.0.1",
    node_key="nk_live_x",
    identity_private_key="i",
    wireguard_private_key="w",
    disco_private_key="d",
    mlkem_private_key="k",
    wireguard_public_key="p",
    tags=("prod",),
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "profile")


def test_what_is_saved_is_loaded_and_private(store):
    for value in (Config(api_url="https://x"), MACHINE, Tokens("a", "r")):
        store.save(value)
    assert (store.config(), store.machine(), store.tokens()) == (
        Config(api_url="https://x"),
        MACHINE,
        Tokens("a", "r"),
    )
    assert store.directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in store.directory.iterdir()} == {0o600}


def test_forgetting_keeps_only_preferences_and_who_the_machine_is(store):
    for value in (Config(org_id="o"), MACHINE, Tokens("a")):
        store.save(value)
    store.save_json("peers.json", {"psks": {}})
    (store.directory / "state.json.enc").write_bytes(b"sealed")
    store.forget()
    assert {path.name for path in store.directory.iterdir()} == {"config.json", "identity.json"}
    kept = store.load_json("identity.json")
    assert kept == {
        "machine_id": MACHINE.machine_id,
        "identity_private_key": MACHINE.identity_private_key,
    }
    store.forget()
    assert store.load_json("identity.json") == kept


def test_a_full_disk_leaves_the_old_file_and_nothing_else(store, monkeypatch):
    store.save(MACHINE)
    before = (store.directory / "state.json").read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AgentError, match="No space left"):
        store.save(Tokens("a"))
    with pytest.raises(AgentError, match="No space left"):
        store.save(MACHINE)
    assert (store.directory / "state.json").read_bytes() == before
    assert [path.name for path in store.directory.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"name": "alpha"}'])
def test_a_damaged_file_is_named(store, content):
    store.directory.mkdir()
    (store.directory / "state.json").write_bytes(content)
    with pytest.raises(AgentError, match=r"state\.json"):
        store.machine()


def test_fields_of_a_newer_version_are_ignored(store):
    store.save(MACHINE)
    document = json.loads((store.directory / "state.json").read_text())
    (store.directory / "state.json").write_text(json.dumps({**document, "later": 1}))
    assert store.machine() == MACHINE


def test_plain_http_only_on_loopback():
    assert check_api_url("http://127.0.0.1:8000/") == "http://127.0.0.1:8000"
    assert check_api_url("https://control.example/x") == "https://control.example"
    for url in ("http://control.example", "ftp://x", "control.example", "https://user@control.example", ""):
        with pytest.raises(AgentError):
            check_api_url(url)


def test_a_bad_interface_name_or_log_level_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("QUICKZTNA_CONFIG_DIR", str(tmp_path))
    assert load("debug").log_level == "debug"
    assert len(str(load().socket)) < 100
    monkeypatch.setenv("QUICKZTNA_LOG_LEVEL", "loud")
    with pytest.raises(AgentError, match="log level"):
        load()
    monkeypatch.setenv("QUICKZTNA_LOG_LEVEL", "info")
    for name in ("a" * 16, "x/../y", "a b"):
        monkeypatch.setenv("QUICKZTNA_INTERFACE", name)
        with pytest.raises(AgentError, match="QUICKZTNA_INTERFACE"):
            load()
