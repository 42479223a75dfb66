"""The undo journal: on disk first, newest undone first, one owner at a time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.host.undo import RESOLV_CONF_MARK, undo
from agent.io.journal import FILE, Journal, identity
from agent.state import Store

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def undone():
    return []


@pytest.fixture
def journal(tmp_path, undone):
    return Journal(Store(tmp_path), lambda change: undone.append(change["name"]))


def on_disk(directory):
    return [change["name"] for change in json.loads((directory / FILE).read_text())["changes"]]


def test_a_change_is_on_disk_once_it_is_recorded(journal, tmp_path):
    journal.record("table", name="a")
    journal.record("table", name="a")
    journal.record("table", name="b")
    assert on_disk(tmp_path) == ["a", "b"]


def test_replay_undoes_the_newest_first_and_leaves_no_file(journal, undone, tmp_path):
    for name in "abc":
        journal.record("table", name=name)
    journal.replay()
    assert undone == ["c", "b", "a"]
    assert not journal.pending
    assert not (tmp_path / FILE).exists()


def test_what_cannot_be_undone_does_not_keep_the_rest(tmp_path):
    undone = []

    def stubborn(change):
        if change["name"] == "b":
            raise OSError("no")
        undone.append(change["name"])

    journal = Journal(Store(tmp_path), stubborn)
    for name in "abc":
        journal.record("table", name=name)
    journal.replay()
    assert undone == ["c", "a"]
    assert not journal.pending


def test_a_lasting_change_outlives_a_crash_and_not_an_orderly_end(journal, undone, tmp_path):
    journal.record("table", name="plain")
    journal.record("table", lasting=True, name="switch")
    journal.replay(crashed=True)
    assert undone == ["plain"]
    assert on_disk(tmp_path) == ["switch"]
    journal.replay()
    assert undone == ["plain", "switch"]


def test_the_next_daemon_undoes_what_a_killed_one_left(journal, undone, tmp_path):
    journal.record("table", name="left")
    later = Journal(Store(tmp_path), lambda change: undone.append(change["name"]))
    later.claim()
    assert undone == ["left"]


def test_a_guardian_leaves_the_changes_of_a_later_daemon_alone(tmp_path, undone):
    store = Store(tmp_path)
    later = Journal(store, undone.append)
    later.claim()
    later.record("table", name="new")
    late_guardian = Journal(store, undone.append)
    assert not late_guardian.replay_for({"pid": 1, "started_at": 1})
    assert undone == []
    assert on_disk(tmp_path) == ["new"]
    assert late_guardian.replay_for(identity(os.getpid()))


DAEMON = """
import sys, time
from pathlib import Path
from agent.host.guardian import Guardian
from agent.host.undo import undo
from agent.io.journal import Journal
from agent.state import Store
journal = Journal(Store(Path(sys.argv[1])), undo)
journal.claim()
guardian = Guardian(Path(sys.argv[1]))
journal.record("resolv_conf", path=sys.argv[2], content="nameserver 192.0.2.1\\n")
Path(sys.argv[2]).write_text(sys.argv[3] + "\\nnameserver 100.100.100.100\\n")
print("ready", flush=True)
if sys.argv[4] == "end":
    journal.replay()
    guardian.close()
    Path(sys.argv[2]).write_text("as it was")
else:
    time.sleep(60)
"""


def start(tmp_path, how):
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text("nameserver 192.0.2.1\n")
    process = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(tmp_path / "state"), str(resolv_conf), RESOLV_CONF_MARK, how],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout.readline() == b"ready\n"
    return process, resolv_conf


def test_a_killed_daemon_is_undone_by_its_guardian(tmp_path):
    process, resolv_conf = start(tmp_path, "hang")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 5
    while resolv_conf.read_text() != "nameserver 192.0.2.1\n" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert resolv_conf.read_text() == "nameserver 192.0.2.1\n"


def test_the_stop_hook_of_a_service_undoes_at_once(tmp_path):
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(f"{RESOLV_CONF_MARK}\n")
    journal = Journal(Store(tmp_path), undo)
    journal.record("resolv_conf", path=str(resolv_conf), content="nameserver 192.0.2.1\n")
    subprocess.run(
        [sys.executable, "-m", "agent.host.guardian", str(tmp_path)], cwd=ROOT, check=True, timeout=10
    )
    assert resolv_conf.read_text() == "nameserver 192.0.2.1\n"


def test_after_an_orderly_end_the_guardian_touches_nothing(tmp_path):
    process, resolv_conf = start(tmp_path, "end")
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert resolv_conf.read_text() == "as it was"


def test_a_resolv_conf_that_somebody_else_wrote_meanwhile_is_theirs(tmp_path):
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text("nameserver 203.0.113.7\n")
    undo({"kind": "resolv_conf", "path": str(resolv_conf), "content": "nameserver 192.0.2.1\n"})
    assert resolv_conf.read_text() == "nameserver 203.0.113.7\n"


def test_a_change_of_a_kind_that_is_not_known_here_is_left_alone():
    undo({"kind": "from a newer version"})
