"""A machine's signals as they come in, bounded and brought into one form."""

import json
from typing import Any

from rest_framework import serializers

from apps.machines.api.fields import Flag, WholeNumber

MAX_ATTRIBUTES = 16 * 1024
# The guide's names of signals.
GUIDE = {
    "disk_encryption": "disk_encrypted",
    "firewall": "firewall_enabled",
    "antivirus": "antivirus_enabled",
}


class BoundedObject(serializers.JSONField):
    """An object of at most 16 KB."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict) or len(json.dumps(value)) > MAX_ATTRIBUTES:
            self.fail("invalid")
        return value


def _text(most: int) -> serializers.CharField:
    return serializers.CharField(max_length=most, required=False, allow_null=True, allow_blank=True)


def _flag() -> Flag:
    return Flag(required=False, allow_null=True)


def _number(most: int) -> WholeNumber:
    return WholeNumber(min_value=0, max_value=most, required=False, allow_null=True)


class ReportInput(serializers.Serializer):
    """A machine's signals; null is unknown."""

    os_version = _text(100)
    os_version_detail = _text(100)
    disk_encrypted = _flag()
    firewall_enabled = _flag()
    antivirus_enabled = _flag()
    antivirus_name = _text(100)
    last_patch_date = serializers.DateTimeField(required=False, allow_null=True)
    patch_age_days = _number(100_000)
    usb_storage_disabled = _flag()
    screen_lock_timeout = _number(10_000_000)
    auto_update = _flag()
    firewall_audit = BoundedObject(required=False, allow_null=True)
    pending_security_updates = _number(1_000_000)
    reboot_pending = _flag()
    agent_version = _text(40)
    custom_attributes = BoundedObject(required=False, allow_null=True)

    def to_internal_value(self, data: Any) -> Any:
        """The guide's names stand for the stored ones; a name instead of true says which."""
        values = dict(data)
        for name, stored in GUIDE.items():
            if name in values:
                found = values.pop(name)
                if isinstance(found, str):
                    if stored == "antivirus_enabled":
                        values.setdefault("antivirus_name", found)
                    found = bool(found.strip())
                values.setdefault(stored, found)
        if "screen_lock" in values:
            lock = values.pop("screen_lock")
            values.setdefault("screen_lock_timeout", _seconds(lock))
        return super().to_internal_value(values)


def _seconds(lock: Any) -> Any:
    """{enabled, max_idle_min}, or a flag alone, which does not say after how long."""
    if isinstance(lock, dict) and lock.get("enabled") is not False:
        minutes = lock.get("max_idle_min")
        return minutes * 60 if isinstance(minutes, int) and not isinstance(minutes, bool) else minutes
    return 0 if lock is False or isinstance(lock, dict) else None
