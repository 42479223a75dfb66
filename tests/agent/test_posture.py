"""Readings of the host's health, from what programs and kernels write."""

import asyncio
import json
import os
import time
from datetime import datetime

import pytest

from agent.posture import disk, updates
from agent.posture.antivirus import antivirus
from agent.posture.findings import Reading, UnknownReading, collect
from agent.posture.firewall import filters, legacy_chains, nft_tables
from agent.posture.host import attributes
from agent.posture.screenlock import gnome_seconds, kde_seconds


def device(sysfs, number, *, uuid=None, slaves=()):
    place = sysfs / "dev/block" / number
    place.mkdir(parents=True)
    (place / "dev").write_text(f"{number}\n")
    if uuid:
        (place / "dm").mkdir()
        (place / "dm/uuid").write_text(f"{uuid}\n")
    (place / "slaves").mkdir()
    for slave in slaves:
        (place / "slaves" / slave.replace(":", "-")).symlink_to(sysfs / "dev/block" / slave)


def mounts(path, **places):
    lines = [
        f"{number} 1 {device_number} / {place} rw,relatime shared:1 - {kind} {source} rw"
        for number, (place, (device_number, kind, source)) in enumerate(places.items())
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def sysfs(tmp_path):
    """A disk, LUKS on it, LVM in LUKS, LVM on the bare disk, and LVM over both."""
    device(tmp_path, "8:1")
    device(tmp_path, "253:0", uuid="CRYPT-LUKS2-0123-root", slaves=["8:1"])
    device(tmp_path, "253:1", uuid="LVM-abc", slaves=["253:0"])
    device(tmp_path, "253:2", uuid="LVM-def", slaves=["8:1"])
    device(tmp_path, "253:3", uuid="LVM-ghi", slaves=["253:0", "8:1"])
    return tmp_path


@pytest.mark.parametrize(
    ("number", "encrypted"),
    [("8:1", False), ("253:0", True), ("253:1", True), ("253:2", False), ("253:3", False)],
)
def test_a_disk_is_encrypted_only_where_all_that_it_lies_on_is(sysfs, number, encrypted):
    table = mounts(sysfs / "mountinfo", **{"/": (number, "ext4", "/dev/x")})
    assert disk.disk_encrypted(sysfs, table) is encrypted


def test_an_open_home_spoils_an_encrypted_root(sysfs):
    places = {"/": ("253:1", "ext4", "/dev/x"), "/home": ("8:1", "ext4", "/dev/y")}
    assert disk.disk_encrypted(sysfs, mounts(sysfs / "mountinfo", **places)) is False


def test_a_file_system_on_no_block_device_is_unknown_and_never_encrypted(sysfs):
    overlay = mounts(sysfs / "mountinfo", **{"/": ("0:40", "overlay", "overlay")})
    with pytest.raises(UnknownReading, match="overlay"):
        disk.disk_encrypted(sysfs, overlay)
    gone = mounts(sysfs / "mountinfo", **{"/": ("9:9", "ext4", "/dev/x")})
    with pytest.raises(UnknownReading, match="9:9"):
        disk.disk_encrypted(sysfs, gone)


def nft(*entries):
    return {"nftables": [{"metainfo": {"json_schema_version": 1}}, *entries]}


def chain(name="input", table="filter", **values):
    return {"chain": {"family": "inet", "table": table, "name": name, **values}}


def rule(*expr, chain="input", table="filter"):
    return {"rule": {"family": "inet", "table": table, "chain": chain, "expr": list(expr)}}


INPUT = {"type": "filter", "hook": "input", "prio": 0, "policy": "accept"}
MATCH = {"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": "lo"}}


def active(*entries):
    return [name for name, chains in nft_tables(nft(*entries)).items() if filters(chains)]


@pytest.mark.parametrize(
    "entries",
    [
        [chain(**{**INPUT, "policy": "drop"})],
        [chain(**INPUT), rule(MATCH, {"drop": None})],
        [chain(**INPUT), rule({"reject": {"type": "tcp reset"}})],
        [chain(**INPUT), chain("web"), rule({"jump": {"target": "web"}}), rule({"drop": None}, chain="web")],
        [chain(**INPUT), rule({"xt": {"type": "target", "name": "REJECT"}})],
        [
            chain(**INPUT),
            rule({"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["invalid", {"drop": None}]]}}}),
        ],
    ],
)
def test_what_refuses_on_the_way_in_is_a_firewall(entries):
    assert active(*entries) == ["inet filter"]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [chain(**INPUT)],
        [chain(**INPUT), rule(MATCH, {"accept": None})],
        [chain(**{**INPUT, "hook": "forward", "policy": "drop"})],
        [chain("nat", type="nat", hook="postrouting"), rule({"masquerade": None}, chain="nat")],
        [chain(**INPUT), chain("unused"), rule({"drop": None}, chain="unused")],
        [chain(**INPUT), rule({"jump": {"target": "input"}})],
        [chain(table="quickztna_ztna0", **{**INPUT, "policy": "drop"})],
    ],
)
def test_what_lets_everything_in_is_none_and_our_own_table_never_counts(entries):
    assert active(*entries) == []


def test_legacy_iptables():
    assert filters(legacy_chains("-P INPUT DROP\n-P FORWARD ACCEPT\n"))
    ufw = "-P INPUT ACCEPT\n-N ufw-in\n-A INPUT -j ufw-in\n-A ufw-in -p tcp -j REJECT\n"
    assert filters(legacy_chains(ufw))
    assert not filters(legacy_chains("-P INPUT ACCEPT\n-P FORWARD DROP\n-A INPUT -i lo -j ACCEPT\n"))
    assert not filters(legacy_chains(""))


def process(proc, number, name, state="S"):
    place = proc / str(number)
    place.mkdir()
    (place / "stat").write_text(f"{number} ({name}) {state} 1 1 1 0")


def test_an_antivirus_counts_only_while_it_lives(tmp_path):
    process(tmp_path, 1, "systemd")
    assert antivirus(tmp_path) == {"antivirus_enabled": False, "antivirus_name": None}
    process(tmp_path, 40, "clamd", "Z")
    process(tmp_path, 41, "not (clamd) S")
    assert antivirus(tmp_path)["antivirus_enabled"] is False
    process(tmp_path, 42, "freshclam")
    assert antivirus(tmp_path) == {"antivirus_enabled": True, "antivirus_name": "clamav"}


def test_hidden_processes_are_unknown(tmp_path):
    process(tmp_path, 40, "bash")
    with pytest.raises(UnknownReading, match="hidden"):
        antivirus(tmp_path)


def test_the_last_patch_is_the_newest_installation():
    lines = [
        "2026-11-01 10:00:00 startup archives unpack",
        "2026-11-01 10:00:01 upgrade libc6:amd64 2.36-9 2.36-10",
        "2026-11-02 10:00:01 status installed libc6:amd64 2.36-10",
        "2026-10-01 10:00:01 install vim:amd64 <none> 9",
        "x" * 1000,
    ]
    local = datetime(2026, 11, 1, 10, 0, 1).astimezone()
    assert updates.newest(lines, updates.dpkg_time) == local
    assert updates.newest([], updates.dpkg_time) is None
    found = updates.dnf_time("2026-11-20T10:11:12+0100 SUBDEBUG Upgrade: bash-5.2-1.fc41.x86_64")
    assert found == datetime.fromisoformat("2026-11-20T09:11:12+00:00")


def test_only_security_archives_count():
    text = (
        "Inst openssl [3.0.14] (3.0.15 Debian-Security:12/stable-security [amd64])\n"
        "Inst vim [9.0] (9.1 Debian:12.8/stable [amd64])\n"
        "Inst bash [5] (5.1 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64])\n"
        "Conf openssl (3.0.15 Debian-Security:12/stable-security [amd64])\n"
    )
    assert updates.count_apt(text) == 2


def test_the_package_manager_is_asked_once_for_each_state_of_its_lists(tmp_path, monkeypatch):
    asked = []

    def answer():
        asked.append(1)
        if len(asked) == 1:
            raise OSError("apt-get took more than 5 s")
        return 3

    monkeypatch.setattr(updates, "apt_pending", answer)
    monkeypatch.setattr(updates.shutil, "which", lambda name: name)
    host = updates.Updates(tmp_path)
    for _ in range(2):
        with pytest.raises(OSError, match="took more"):
            host.pending()
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").touch()
    for _ in range(2):
        assert host.pending() == {"pending_security_updates": 3}
    assert len(asked) == 2


def test_screens_of_gnome_and_kde():
    values = {"lock-enabled": "true", "idle-delay": "uint32 300", "lock-delay": "uint32 30"}
    assert gnome_seconds(lambda schema, key: values[key]) == 330
    assert gnome_seconds(lambda schema, key: (values | {"lock-enabled": "false"})[key]) == 0
    assert gnome_seconds(lambda schema, key: (values | {"idle-delay": "uint32 0"})[key]) == 0
    assert kde_seconds("[Daemon]\nTimeout=10\nLockGrace=5\n") == 605
    assert kde_seconds("[Daemon]\nAutolock=false\n") == 0
    assert kde_seconds("") == 300


@pytest.mark.parametrize("text", ["[1]", '{"a": {"b": 1}}', "{", '{"a": "' + "x" * 17_000 + '"}'])
def test_attributes_that_are_no_flat_object_are_unknown(tmp_path, text):
    path = tmp_path / "attributes.json"
    with pytest.raises(UnknownReading, match="there is no"):
        attributes(path)
    path.write_text(text)
    with pytest.raises(UnknownReading, match="flat"):
        attributes(path)
    path.write_text(json.dumps({"asset": "L-7", "managed": True}))
    assert attributes(path) == {"custom_attributes": {"asset": "L-7", "managed": True}}


def test_a_reading_that_fails_costs_only_its_own_signals(monkeypatch):
    monkeypatch.setattr("agent.posture.findings.READING_SECONDS", 0.1)

    def refuse():
        raise UnknownReading("not as this user")

    def crash():
        raise KeyError("secret")

    readings = [
        Reading(("disk_encrypted",), refuse),
        Reading(("firewall_enabled", "firewall_audit"), lambda: {"firewall_enabled": False}),
        Reading(("antivirus_enabled",), crash),
        Reading(("auto_update",), lambda: time.sleep(0.3)),
    ]
    found = asyncio.run(collect(readings))
    assert found.values == {"firewall_enabled": False}
    assert found.reasons["disk_encrypted"] == "not as this user"
    assert "secret" not in found.reasons["antivirus_enabled"]
    assert "took more than" in found.reasons["auto_update"]
    report = found.report()
    assert report["firewall_enabled"] is False
    assert [report[name] for name in ("disk_encrypted", "antivirus_enabled", "auto_update")] == [None] * 3


def test_a_users_settings_are_not_read_through_a_link(tmp_path):
    from agent.posture.screenlock import _read

    (tmp_path / "real").write_text("[Daemon]\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="link"):
        _read(tmp_path / "link")
    assert _read(tmp_path / "pipe") == ""
    assert _read(tmp_path / "none") == ""
