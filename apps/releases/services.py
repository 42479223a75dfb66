"""Publishing builds and looking them up."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.core.errors import InvalidInput, NotFound
from apps.releases.models import Arch, ClientVersion, Platform
from apps.releases.versions import version_key

NO_VERSION = "0.0.0"


def read_platform(platform: str, arch: str) -> tuple[str, str]:
    """(platform, arch) from what clients send, `darwin` and `linux-amd64` included.

    An unknown one raises NotFound.
    """
    name, _, suffix = platform.lower().partition("-")
    name = {"darwin": Platform.MACOS}.get(name, name)
    arch = {"x86_64": Arch.AMD64, "aarch64": Arch.ARM64}.get(suffix or arch, suffix or arch)
    if name not in Platform.values or arch not in Arch.values:
        raise NotFound("Unknown platform")
    return str(name), str(arch)


def latest(*, platform: str, arch: str, channel: str) -> ClientVersion | None:
    """The published build, if there is one."""
    return ClientVersion.objects.filter(platform=platform, arch=arch, channel=channel, is_latest=True).first()


def check(*, platform: str, arch: str, channel: str, current_version: str) -> dict[str, Any]:
    """What an agent of this version should know; a newer agent than the latest is up to date."""
    try:
        current = version_key(current_version)
    except ValueError:
        raise InvalidInput(
            "current_version must be a version such as 1.2.3", field="current_version"
        ) from None
    platform, arch = read_platform(platform, arch)
    build = latest(platform=platform, arch=arch, channel=channel)
    answer: dict[str, Any] = {
        "current_version": current_version,
        "latest_version": build.version if build else current_version,
        "update_available": build is not None and version_key(build.version) > current,
        "rollout": None,
    }
    for name in (
        *("download_url", "checksum_sha256", "signature", "size"),
        *("min_version", "release_notes", "published_at"),
    ):
        answer[name] = getattr(build, name) if build else None
    return answer


def publish(build: ClientVersion) -> None:
    """Make a build the latest of its platform, architecture and channel; twice is as once."""
    with transaction.atomic():
        rivals = ClientVersion.objects.select_for_update().filter(
            platform=build.platform, arch=build.arch, channel=build.channel, is_latest=True
        )
        rivals.exclude(pk=build.pk).update(is_latest=False)
        build.is_latest = True
        build.published_at = build.published_at or timezone.now()
        build.save(update_fields=["is_latest", "published_at"])
