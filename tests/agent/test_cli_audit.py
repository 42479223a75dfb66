"""`ztna audit list` and `ztna compliance report` against a control plane."""

import asyncio
import csv
import io
import json
import subprocess
import sys

import pytest

from agent.cli.commands.audit import COLUMNS, _verified, _write_csv
from agent.errors import AgentError
from agent.state import Store, Tokens
from tests.agent.shell import Shell
from tests.e2e.conftest import ROOT, control_plane  # noqa: F401 the fixture
from wire.audit import row_hash


@pytest.fixture(scope="module")
def shell(control_plane, tmp_path_factory):  # noqa: F811
    return Shell(control_plane, tmp_path_factory.mktemp("audit"), "audit")


@pytest.fixture(scope="module")
def compliance(control_plane, tmp_path_factory):  # noqa: F811
    return Shell(control_plane, tmp_path_factory.mktemp("compliance"), "compliance")


def test_entries_come_newest_first_as_one_document(shell):
    rows = json.loads(shell.run("list"))
    assert {"org.created", "machine.registered", "auth_key.created"} <= {row["action"] for row in rows}
    moments = [row["created_at"] for row in rows]
    assert moments == sorted(moments, reverse=True)
    assert json.loads(shell.run("list", "--action", "machine.*", "--limit", "1"))[0]["action"].startswith(
        "machine."
    )
    assert json.loads(shell.run("list", "--action", "nothing.happened")) == []
    assert "chain" not in rows[0]
    assert len(json.loads(shell.run("list", "--json", "--limit", "1"))) == 1


def test_csv_has_its_header_in_any_case(shell):
    rows = list(csv.DictReader(io.StringIO(shell.run("list", "--format", "csv"))))
    assert tuple(rows[0]) == COLUMNS
    assert {row["org_id"] for row in rows} == {shell.org}
    empty = shell.run("list", "--format", "csv", "--action", "nothing.happened")
    assert empty == ",".join(COLUMNS) + "\n"


def test_a_chain_that_holds_is_said_to(shell):
    rows = json.loads(shell.run("list", "--verify"))
    assert f"{len(rows)} entries checked: the chain holds." in shell.errors
    shell.run("list", "--verify", "--action", "machine.*")


def test_a_reader_that_goes_away_is_no_failure(shell):
    profile = {"PATH": "/usr/bin:/bin", "QUICKZTNA_CONFIG_DIR": str(shell.directory / "profile")}
    command = f"{sys.executable} -m agent audit list --format csv | head -n 1"
    found = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, cwd=ROOT, env=profile, timeout=30
    )
    assert found.stdout == ",".join(COLUMNS) + "\n"
    assert found.stderr == ""


@pytest.mark.parametrize(
    "wrong", [("--days", "0"), ("--format", "xml"), ("--limit", "0"), ("--days", "soon")]
)
def test_bad_options_are_named(shell, wrong):
    assert wrong[0] in shell.run("list", *wrong, status=1)


def entry(seq, prev_hash, **shown):
    fields = {
        **{"id": f"id-{seq}", "action": "machine.registered", "resource_type": "machine", "resource_id": "m"},
        **{"user_id": None, "details": {"name": "web"}, "ip_address": "192.0.2.1", "user_agent": "ztna"},
    }
    hashed = {**fields, "seq": seq, "created_at": "2026-11-24T02:00:00.123456+00:00"}
    canonical = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
    digest = row_hash(prev_hash, canonical)
    chain = {"seq": seq, "prev_hash": prev_hash, "hash": digest, "canonical": canonical}
    return {**fields, "created_at": "2026-11-24T02:00:00.123Z", "chain": chain, **shown}


def chain_of(count):
    rows, previous = [], "0" * 64
    for seq in range(1, count + 1):
        rows.append(entry(seq, previous))
        previous = rows[-1]["chain"]["hash"]
    return rows[::-1]


def verified(rows, linked=True):
    async def run():
        async def source():
            for row in rows:
                yield row

        return [row async for row in _verified(source(), linked=linked)]

    return asyncio.run(run())


@pytest.mark.parametrize(
    "forged",
    [
        *({name: "forged"} for name in ("id", "action", "resource_type", "resource_id", "ip_address")),
        {"user_id": "somebody"},
        {"details": {"name": "db"}},
        {"created_at": "2026-11-24T03:00:00.123Z"},
    ],
)
def test_an_entry_that_is_not_what_was_written_is_found(forged):
    rows = chain_of(4)
    rows[2] |= forged
    with pytest.raises(AgentError, match="was altered"):
        verified(rows)


def test_an_entry_that_was_rewritten_with_its_hash_is_found_by_the_next_one():
    rows = chain_of(4)
    rows[2] = entry(2, rows[3]["chain"]["hash"])
    rows[2]["chain"]["canonical"] = rows[2]["chain"]["canonical"].replace("web", "db")
    rows[2]["details"] = {"name": "db"}
    rows[2]["chain"]["hash"] = row_hash(rows[2]["chain"]["prev_hash"], rows[2]["chain"]["canonical"])
    with pytest.raises(AgentError, match="missing"):
        verified(rows)


def test_an_entry_that_was_taken_out_is_missed_unless_a_part_was_asked_for():
    rows = chain_of(4)
    del rows[1]
    with pytest.raises(AgentError, match="an entry is missing after id-2"):
        verified([dict(row) for row in rows])
    assert len(verified(chain_of(4)[::2], linked=False)) == 2


def test_no_cell_is_run_by_a_spreadsheet(capsys):
    async def rows():
        yield {"created_at": "now", "action": "=HYPERLINK(1)", "resource_type": "@x", "resource_id": "-1"}

    asyncio.run(_write_csv(rows(), "org"))
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["action"], row["resource_type"], row["resource_id"]) == ("'=HYPERLINK(1)", "'@x", "'-1")


def test_a_report_has_the_shape_that_scripts_know_and_reads_as_a_table(compliance):
    report = json.loads(compliance.run("report", "--json"))
    assert set(report) == {"machines", "posture", "acl", "certs", "threats", "generated_at", "org_id"}
    assert set(report["machines"]) == {"total", "online", "quarantined"}
    assert report["machines"]["total"] == 2
    assert report["posture"] == {"compliant": 0, "non_compliant": 0, "rate": None}
    assert set(report["acl"]) == {"rules", "deny_default"}
    assert report["org_id"] == compliance.org
    text = compliance.run("report")
    assert "nothing reported" in text
    assert "2 (" in text


def test_who_may_not_is_told_his_role(compliance):
    store = Store(compliance.directory / "profile")
    store.save(Tokens(compliance.join("grace@example.test", "member")))
    try:
        text = compliance.run("report", status=1)
    finally:
        store.save(Tokens(compliance.token))
    assert "Auditor required (your role: member)" in text
