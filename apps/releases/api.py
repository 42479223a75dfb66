"""`/api/client-version` and `/api/releases/`."""

from typing import Any

from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from rest_framework import serializers

from apps.core.api.views import ActionView, Call, CallView, Operation
from apps.core.errors import MissingFields, NotFound
from apps.releases import services
from apps.releases.models import Channel, ClientVersion

LISTED = 20


class PlatformInput(serializers.Serializer):
    platform = serializers.CharField(max_length=40, required=False, allow_blank=True)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if not values.get("platform"):
            retired = "; `os` is called platform" if "os" in self.initial_data else ""
            raise MissingFields(f"current_version and platform required{retired}", field="platform")
        return values


class CheckInput(PlatformInput):
    arch = serializers.CharField(max_length=20, default="amd64")
    current_version = serializers.CharField(max_length=80, default=services.NO_VERSION)
    channel = serializers.ChoiceField(Channel.choices, default=Channel.STABLE)
    machine_id = serializers.UUIDField(required=False)


def _check(call: Call) -> dict[str, Any]:
    values = dict(call.data)
    values.pop("machine_id", None)
    return services.check(**values)


def _list(call: Call) -> dict[str, Any]:
    platform, _ = services.read_platform(call.data["platform"], "amd64")
    builds = ClientVersion.objects.filter(platform=platform, published_at__isnull=False)
    return {"versions": [_listed(build) for build in builds[:LISTED]]}


def _listed(build: ClientVersion) -> dict[str, Any]:
    names = (
        *("version", "platform", "arch", "download_url", "checksum_sha256"),
        *("release_notes", "is_latest", "published_at"),
    )
    return {name: getattr(build, name) for name in names}


class ClientVersionCalls(ActionView):
    topic = "client-version"
    actions = (
        Operation("check", "P", _check, CheckInput),
        Operation("list", "P", _list, PlatformInput),
    )


def _index(call: Call) -> dict[str, Any]:
    builds = ClientVersion.objects.filter(published_at__isnull=False)[:100]
    names = ("version", "platform", "arch", "size", "signature")
    return {
        "releases": [
            {**{name: getattr(build, name) for name in names}, "sha256": build.checksum_sha256}
            for build in builds
        ]
    }


class ReleaseIndex(CallView):
    path = "releases"
    calls = {"GET": Operation("releases", "P", _index)}


def _latest(call: Call) -> HttpResponseBase:
    try:
        platform, arch = services.read_platform(call.path["platform"], call.path["arch"])
    except NotFound:
        build = None
    else:
        build = services.latest(platform=platform, arch=arch, channel=Channel.STABLE)
    if build is None:
        return HttpResponse("No such release\n", status=404, content_type="text/plain")
    return HttpResponseRedirect(build.download_url)


class LatestRelease(CallView):
    path = "releases/latest/<slug:platform>/<slug:arch>"
    calls = {"GET": Operation("latest-release", "P", _latest)}
