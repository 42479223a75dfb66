"""Domain names as text, in the one form that the control plane keeps (RFC 1035 2.3.1, RFC 1123 2.1)."""

import re
from typing import Any

from rest_framework import serializers

MAX_DOMAIN = 253
_HOST_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# Service names and such, which are no hosts (RFC 8552).
_ANY_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


def parse_domain(text: str, *, underscores: bool = False) -> str:
    """Lower case and without the last dot; raises ValueError with a reason that people can read."""
    name = text.strip().lower().removesuffix(".")
    label = _ANY_LABEL if underscores else _HOST_LABEL
    if len(name) > MAX_DOMAIN or not all(label.fullmatch(part) for part in name.split(".")):
        raise ValueError(f"{text.strip()[:80]!r} is not a domain name")
    return name


class DomainField(serializers.CharField):
    """A domain name in the form that is kept."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_DOMAIN + 1, **options)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            return parse_domain(text)
        except ValueError as flaw:
            raise serializers.ValidationError(str(flaw)) from None
