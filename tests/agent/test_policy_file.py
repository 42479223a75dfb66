"""The policy file: what it may say, and what has to change for it to hold."""

import pytest

from agent.cli.policyfile import DEFAULTS, changes, named, parse, written
from agent.errors import AgentError

WEB = {"name": "web", "source": "tag:web", "destination": "tag:db"}


def row(rule, number, **values):
    return {**DEFAULTS, "priority": 10, "revision": 3, "jit_grant_id": None, **rule, **values, "id": number}


def test_a_file_names_all_columns_of_its_rules():
    rules, settings = parse(
        "settings: {default_deny: true}\n"
        "rules:\n"
        "- {name: web, src: 'tag:web', dst: 'tag:db', proto: tcp, ports: 443}\n"
        "- {name: night, source: '*', destination: 10.0.0.0/8, time_hour: 22:30-06:00, action: deny}\n"
        "- {name: old, source: '*', destination: '*', expires_at: 2027-01-01T00:00:00Z, priority: 5}\n"
    )
    assert settings == {"default_deny": True}
    web, night, old = rules
    assert web == {**DEFAULTS, **WEB, "protocol": "tcp", "ports": "443", "priority": 10}
    assert (night["time_hour"], night["priority"]) == ("22:30-06:00", 20)
    assert (old["expires_at"], old["priority"]) == ("2027-01-01T00:00:00Z", 5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must hold a list 'rules'"),
        ("rules: {}", "must hold a list 'rules'"),
        ("rules: [", "expected"),
        ("rules: [1]", "rule 1 must be a mapping"),
        ("rules: []\nrules: []", "'rules' stands there twice"),
        ("rules: []\nroles: []", "unknown key 'roles'"),
        ("rules: []\nsettings: 1", "'settings' must be a mapping"),
        ("rules: [{name: a, source: '*'}]", "rule 'a' has no destination"),
        ("rules: [{source: '*', destination: '*'}]", "rule 1 has no name"),
        ("rules: [{name: a, source: '*', destination: '*', port: 1}]", "unknown column 'port'"),
        ("rules: [{name: a, source: '*', destination: '*', src: b}]", "names a column twice"),
        ("rules: [&x {name: a, source: '*', destination: '*'}, *x]", "two rules are called 'a'"),
        ("rules: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("rules: " + "[" * 5000, "policy file"),
        ("rules: [" + "a" * 9_000_000 + "]", "longer than"),
    ],
)
def test_a_wrong_file_is_named_for_what_is_wrong(text, reason):
    with pytest.raises(AgentError, match="policy file") as refused:
        parse(text)
    assert refused.value.code == "INVALID_POLICY"
    assert reason in refused.value.message


def test_only_what_differs_is_changed():
    rules, settings = parse("rules: [{name: web, src: 'tag:web', dst: 'tag:db', ports: 80}]")
    grant = row({**WEB, "name": "grant"}, 9, jit_grant_id="g")
    assert changes(rules, settings, [row(WEB, 1, ports="80"), grant]) == {
        "acl_rules": {"create": [], "update": [], "delete": []}
    }
    rows = [row(WEB, 1, time_hour="9-17"), row(WEB, 2), row({**WEB, "name": "old"}, 3)]
    assert changes(rules, {"default_deny": False}, rows) == {
        "acl_rules": {
            "create": [],
            "update": [{"id": 1, "revision": 3, "ports": "80", "time_hour": None}],
            "delete": [2, 3],
        },
        "settings": {"default_deny": False},
    }
    assert changes(rules, {}, [])["acl_rules"]["create"] == rules


def test_what_is_written_reads_the_same():
    rows = [
        row(WEB, 1, ports="80,443", protocol="tcp"),
        row({**WEB, "name": "no\nway: ☂"}, 2, priority=20, enabled=False, source_os=["linux"]),
        row({**WEB, "name": "grant"}, 3, jit_grant_id="g"),
    ]
    rules, settings = parse(written(rows))
    assert changes(rules, settings, rows)["acl_rules"] == {"create": [], "update": [], "delete": []}
    assert len(rules) == 2


def test_machines_are_told_by_name():
    (rule,) = named([{**WEB, "source": "id-1,tag:a, id-2"}], {"id-1": "alpha", "id-2": "beta"})
    assert (rule["source"], rule["destination"]) == ("alpha,tag:a,beta", "tag:db")
