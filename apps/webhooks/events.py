"""What a webhook may be told of: actions of the trail by name, `noun.*`, or `*`.

Tests hold this list to what the code writes into the trail.
"""

from collections.abc import Iterable

from apps.core.errors import InvalidInput

CHANGED = ("created", "updated", "deleted")
# Title of a group in the console: nouns, each with its verbs.
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "Just-in-time access": {
        "jit": ("requested", "approved", "denied", "revoked", "expired"),
    },
    "Access reviews": {
        "access_review": ("created", "started", "decided", "extended", "overdue", "completed", "cancelled"),
    },
    "Access rules": {
        "acl_rule": (*CHANGED, "expired"),
        "abac_policy": CHANGED,
        "segmentation_group": CHANGED,
        "segmentation_member": ("added", "removed"),
        "policy_test": CHANGED,
        "policy": ("snapshot", "rollback"),
        "plan": (
            *("created", "approved", "scheduled", "applied", "confirmed"),
            *("abandoned", "expired", "failed"),
        ),
    },
    "Machines": {
        "machine": (
            *("registered", "self_service_setup", "approved", "rejected", "renamed", "deleted"),
            *("enabled", "disabled", "locked", "unlocked", "quarantined", "unquarantined"),
            *("auto_quarantine", "auto_unquarantine", "marked_offline", "cleanup_deleted"),
            *("owner_changed", "tags_updated", "tags_refused", "flags_updated", "wipe_requested"),
            *("peer_identity_refused", "map_refused"),
            *("key_renewed", "key_rotated", "key_expired", "key_expiry_changed"),
            *("routes_advertised", "routes_approved", "routes_rejected"),
            *("exit_node_approved", "exit_node_rejected"),
        ),
        "command": ("expired",),
        "tag_owner": ("added", "removed"),
        "relay_region": (*CHANGED, "report_key_made"),
    },
    "Posture": {
        "posture_policy": CHANGED,
    },
    "DNS": {
        "dns": (
            "settings_updated",
            *("nameserver_added", "nameserver_updated", "nameserver_removed"),
            *("record_added", "record_updated", "record_removed"),
        ),
    },
    "People": {
        "member": ("invited", "joined", "left", "removed", "role_changed", "groups_told"),
        "idp_group": CHANGED,
        "invitation": ("resent", "revoked"),
        "user": ("updated",),
        "auth": (
            *("login", "logout", "cli_authorized", "device_authorized"),
            *("password_changed", "refresh_reused"),
        ),
    },
    "Keys": {
        "auth_key": ("created", "updated", "revoked", "expired"),
        "api_key": ("created", "updated", "rotated", "revoked"),
    },
    "Organisation": {
        "org": (
            *("created", "updated", "settings_updated", "ownership_transferred"),
            *("locked_down", "lockdown_lifted"),
        ),
        "webhook": (*CHANGED, "tested", "replayed", "disabled"),
        "audit": ("verified",),
        "export": ("created",),
        "flow_logs": ("exported",),
    },
}
TEST = "webhook.test"  # sent by hand, and nothing that can be asked for

NAMES = tuple(
    f"{noun}.{verb}" for nouns in GROUPS.values() for noun, verbs in nouns.items() for verb in verbs
)
_KNOWN = {"*", *NAMES, *(f"{name.partition('.')[0]}.*" for name in NAMES)}


def parse_events(events: Iterable[str]) -> list[str]:
    """The list in order, each once and none that another one includes; raises InvalidInput."""
    given = dict.fromkeys(events)
    for name in given:
        if name not in _KNOWN:
            raise InvalidInput(f"events: there is no {name[:100]}", field="events")
    if not given:
        raise InvalidInput("events: at least one", field="events")
    return sorted(name for name in given if not any(name in _including(other) for other in given))


def wants(events: Iterable[str], action: str) -> bool:
    """Whether a list includes an action."""
    noun = action.partition(".")[0]
    return not {"*", f"{noun}.*", action}.isdisjoint(events)


def _including(event: str) -> set[str]:
    """What an event makes superfluous beside itself."""
    if event == "*":
        return _KNOWN - {"*"}
    noun, _, verb = event.partition(".")
    return {name for name in NAMES if name.startswith(f"{noun}.")} if verb == "*" else set()
