"""`POST /api/governance`: versions of single policies and revisions of the whole set."""

from typing import Any

from rest_framework import serializers

from apps.core.api.views import ActionView, Answer, Call, Operation
from apps.core.errors import NotFound
from apps.orgs.planning import SETTINGS_TABLE
from apps.policy.api.changes import refuse_settings, require_scopes, tables_undone
from apps.policy.documents import snapshot_of
from apps.policy.models import PolicyRevision, PolicyVersion
from apps.policy.services import versions as services
from apps.policy.services.plans import return_to

MOST_VERSIONS = 50


class PolicyInput(serializers.Serializer):
    policy_type = serializers.CharField(max_length=30)
    policy_id = serializers.UUIDField()


class SnapshotInput(PolicyInput):
    change_summary = serializers.CharField(max_length=300, required=False, allow_blank=True)


class RollbackInput(PolicyInput):
    version_id = serializers.UUIDField()


class VersionInput(serializers.Serializer):
    version_id = serializers.UUIDField()


class DiffInput(serializers.Serializer):
    from_id = serializers.UUIDField()
    to_id = serializers.UUIDField(required=False, allow_null=True)


class LabelInput(serializers.Serializer):
    change_summary = serializers.CharField(max_length=300, required=False, allow_blank=True)


class ReturnInput(serializers.Serializer):
    target_version = serializers.IntegerField(min_value=1)


class RevisionsInput(serializers.Serializer):
    limit = serializers.IntegerField(required=False, default=50, min_value=1, max_value=200)
    cursor = serializers.IntegerField(required=False, min_value=1)


class RevisionInput(serializers.Serializer):
    revision = serializers.IntegerField(min_value=1)


def _snapshot(call: Call) -> Answer:
    row = services.snapshot(org=call.org, actor=call.actor, **call.data)
    return Answer({"version_id": row.pk, "version": row.version}, status=201)


def _list(call: Call) -> dict[str, Any]:
    services.model_of(call.data["policy_type"])
    rows = PolicyVersion.objects.for_org(call.org).filter(**call.data).order_by("-version")
    names = ("id", "version", "change_summary", "changed_by_id", "created_at")
    versions = [
        {name.removesuffix("_id") if name != "id" else name: row[name] for name in names}
        for row in rows.values(*names)[:MOST_VERSIONS]
    ]
    return {"versions": versions}


def _version(call: Call, version_id: Any) -> PolicyVersion:
    row = PolicyVersion.objects.for_org(call.org).filter(pk=version_id).first()
    if row is None:
        raise NotFound("No such version")
    return row


def _get(call: Call) -> dict[str, Any]:
    row = _version(call, call.data["version_id"])
    return {"version_id": row.pk, "version": row.version, "snapshot": row.snapshot}


def _diff(call: Call) -> dict[str, Any]:
    old = _version(call, call.data["from_id"])
    if to_id := call.data.get("to_id"):
        after = _version(call, to_id).snapshot
    else:
        present = services.MODELS[old.policy_type].objects.for_org(call.org).filter(pk=old.policy_id).first()
        after = snapshot_of(present) if present else {}
    names = [name for name in {**old.snapshot, **after} if old.snapshot.get(name) != after.get(name)]
    return {"changes": [{"field": n, "before": old.snapshot.get(n), "after": after.get(n)} for n in names]}


def _roll_back(call: Call) -> dict[str, Any]:
    version, recreated = services.roll_back(org=call.org, actor=call.actor, **call.data)
    return {"rolled_back_to": version.pk, "version": version.version, "recreated": recreated}


def _label(call: Call) -> Answer:
    summary = call.data.get("change_summary")
    return Answer(
        {"version": services.label_revision(org=call.org, actor=call.actor, summary=summary)}, status=201
    )


def _revisions(call: Call) -> dict[str, Any]:
    rows = PolicyRevision.objects.for_org(call.org)
    if cursor := call.data.get("cursor"):
        rows = rows.filter(revision__lt=cursor)
    names = ("revision", "created_at", "user_id", "summary", "label", "plan_id")
    found = list(rows.values(*names)[: call.data["limit"]])
    more = len(found) == call.data["limit"] and found[-1]["revision"] > 1
    revisions = [{"at" if name == "created_at" else name: row[name] for name in names} for row in found]
    return {"revisions": revisions, "next_cursor": found[-1]["revision"] if more else None}


def _revision(call: Call) -> dict[str, Any]:
    row = PolicyRevision.objects.for_org(call.org).filter(revision=call.data["revision"]).first()
    if row is None:
        raise NotFound("No such revision")
    return {"revision": row.revision, "at": row.created_at, "summary": row.summary, "changes": row.changes}


def _return(call: Call) -> dict[str, Any]:
    target = call.data["target_version"]
    later = PolicyRevision.objects.for_org(call.org).filter(revision__gt=target)
    entries = [entry for changes in later.values_list("changes", flat=True) for entry in changes]
    settings = (entry["before"] for entry in entries if entry["table"] == SETTINGS_TABLE)
    refuse_settings(call, (name for before in settings for name in before))
    require_scopes(call, tables_undone(call.org, entries))
    present = return_to(org=call.org, actor=call.actor, revision=target)
    return {"plan_id": None, "rolled_back_to": target, "version": present}


class Versions(ActionView):
    topic = "governance"
    actions = (
        Operation("snapshot_policy", "A", _snapshot, SnapshotInput, scope="acl:write"),
        Operation("list_policy_versions", "M", _list, PolicyInput, scope="acl:read"),
        Operation("get_policy_version", "M", _get, VersionInput, scope="acl:read"),
        Operation("diff_policy_versions", "M", _diff, DiffInput, scope="acl:read"),
        Operation("rollback_policy", "A", _roll_back, RollbackInput, scope="acl:write"),
        Operation("policy_version_create", "A", _label, LabelInput, scope="acl:write"),
        Operation("policy_version_rollback", "A", _return, ReturnInput, scope="acl:write"),
        Operation("list_revisions", "M", _revisions, RevisionsInput, scope="acl:read"),
        Operation("get_revision", "M", _revision, RevisionInput, scope="acl:read"),
    )
