"""A policy as a file in a repository, and what would have to change for it to hold.

    settings: {default_deny: true}
    rules:
      - {name: web to db, source: "tag:web", destination: "tag:db", protocol: tcp, ports: 5432}

The file is the whole policy: a rule that it does not name goes, a column that it does not name has its
default. Rules are told apart by their names; one without a priority stands at ten times its place.
Rules of just-in-time grants are nobody's to write down, and stay.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import yaml

from agent.errors import AgentError

MAX_BYTES: Final = 8 * 1024 * 1024
DEFAULTS: Final[Mapping[str, Any]] = {
    "description": None,
    "protocol": "*",
    "ports": "*",
    "action": "allow",
    "enabled": True,
    "starts_at": None,
    "expires_at": None,
    "time_hour": None,
    "day_of_week": None,
    "timezone": "UTC",
    "source_country": None,
    "source_os": None,
    "require_posture": False,
    "require_pqc": False,
}
REQUIRED: Final = ("name", "source", "destination")
_KNOWN: Final = {*REQUIRED, *DEFAULTS, "priority"}
_SHORT: Final[Mapping[str, str]] = {"src": "source", "dst": "destination", "proto": "protocol"}
# YAML reads 443 and 22:30 as numbers; here they are text.
_TEXTS: Final = ("name", "ports", "time_hour")
_PRIORITY_STEP: Final = 10

Rule = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, where one would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise yaml.constructor.ConstructorError(
                None, None, f"{twice!r} stands there twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def parse(text: str) -> tuple[list[Rule], dict[str, Any]]:
    """(rules with all their columns, settings) of a file; AgentError says what is wrong and where."""
    if len(text) > MAX_BYTES:
        raise _invalid(f"longer than {MAX_BYTES} bytes")
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _invalid(" ".join(str(error).split())) from None
    if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
        raise _invalid("must hold a list 'rules'")
    if unknown := sorted(str(key) for key in set(document) - {"rules", "settings"}):
        raise _invalid(f"unknown key {unknown[0]!r}")
    settings = document.get("settings") or {}
    if not isinstance(settings, dict):
        raise _invalid("'settings' must be a mapping")
    rules = [_rule(place, entry) for place, entry in enumerate(document["rules"], start=1)]
    names: set[str] = set()
    for rule in rules:
        if rule["name"] in names:
            raise _invalid(f"two rules are called {rule['name']!r}")
        names.add(rule["name"])
    return rules, settings


def named(rules: Sequence[Rule], machines: Mapping[str, str]) -> list[Rule]:
    """Rules whose ends say machines by name, where they are kept by id; machines is id -> name."""

    def end(text: Any) -> Any:
        members = str(text).split(",")
        return ",".join(machines.get(member.strip(), member) for member in members)

    return [rule | {"source": end(rule["source"]), "destination": end(rule["destination"])} for rule in rules]


def changes(rules: Sequence[Rule], settings: Mapping[str, Any], rows: Sequence[Rule]) -> dict[str, Any]:
    """What `POST /api/policy` plans: from the rows there are to the rules there should be."""
    left: dict[str, Rule] = {}
    spare = []
    for row in rows:
        if row.get("jit_grant_id") is None and left.setdefault(row["name"], row) is not row:
            spare.append(row["id"])
    create: list[Rule] = []
    update: list[Rule] = []
    for rule in rules:
        present = left.pop(rule["name"], None)
        if present is None:
            create.append(rule)
        elif moved := {name: value for name, value in rule.items() if present.get(name) != value}:
            update.append({"id": present["id"], "revision": present["revision"], **moved})
    delete = [*spare, *(row["id"] for row in left.values())]
    document: dict[str, Any] = {"acl_rules": {"create": create, "update": update, "delete": delete}}
    if settings:
        document["settings"] = dict(settings)
    return document


def written(rows: Sequence[Rule]) -> str:
    """The file that says what these rows say."""
    rules = []
    for row in rows:
        if row.get("jit_grant_id") is None:
            named = {name: row[name] for name in (*REQUIRED, *DEFAULTS, "priority")}
            rules.append({name: value for name, value in named.items() if value != DEFAULTS.get(name, "")})
    return str(yaml.safe_dump({"rules": rules}, sort_keys=False, allow_unicode=True, width=110))


def _rule(place: int, entry: Any) -> Rule:
    if not isinstance(entry, dict):
        raise _invalid(f"rule {place} must be a mapping")
    values: Rule = {_SHORT.get(name, name): _plain(name, value) for name, value in entry.items()}
    label = repr(values.get("name", place))
    if len(values) != len(entry):
        raise _invalid(f"rule {label} names a column twice")
    if unknown := sorted(str(name) for name in set(values) - _KNOWN):
        raise _invalid(f"rule {label} has an unknown column {unknown[0]!r}")
    if missing := [name for name in REQUIRED if values.get(name) in (None, "")]:
        raise _invalid(f"rule {label} has no {missing[0]}")
    return {**DEFAULTS, "priority": place * _PRIORITY_STEP, **values}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if name in _TEXTS and is_number else value


def _invalid(reason: str) -> AgentError:
    return AgentError("INVALID_POLICY", f"policy file: {reason}")
