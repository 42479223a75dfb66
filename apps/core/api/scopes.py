"""Scopes of API keys: bare words form one grant, `resource:verb` each a grant of its own."""

from collections.abc import Iterable

VERBS = ("read", "write", "admin")
BARE_RESOURCES = ("machines", "dns", "acl", "billing", "audit")
COLON_RESOURCES = (
    *BARE_RESOURCES,
    *("users", "settings", "keys", "posture", "certificates", "vault"),
    *("remote", "threats", "workforce", "connectors", "scim"),
)
WORDS = (*VERBS, *BARE_RESOURCES)


def unknown_scopes(scopes: Iterable[str]) -> list[str]:
    """Those that mean nothing."""
    colon = {f"{resource}:{verb}" for resource in COLON_RESOURCES for verb in ("read", "write")}
    return [scope for scope in scopes if scope not in WORDS and scope not in colon]


def scopes_allow(scopes: Iterable[str], required: str) -> bool:
    """Whether scopes cover `admin` or `<resource>:<read|write>`; no scopes cover nothing."""
    held = set(scopes)
    if "admin" in held:
        return True
    if required == "admin":
        return False
    resource, verb = required.split(":")
    if f"{resource}:write" in held or f"{resource}:{verb}" in held:
        return True
    words = held & set(WORDS)
    if not words:
        return False
    resources = (words & set(BARE_RESOURCES)) or set(BARE_RESOURCES)
    if words == {"read"}:
        resources |= {"users", "settings"}
    highest = "write" if "write" in words else "read"
    return resource in resources and (verb == "read" or highest == "write")
