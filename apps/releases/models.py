"""Builds of the agent."""

from django.db import models
from django.db.models import Q

from apps.core.models_base import Row


class Platform(models.TextChoices):
    LINUX = "linux"
    WINDOWS = "windows"
    MACOS = "macos"


class Arch(models.TextChoices):
    AMD64 = "amd64"
    ARM64 = "arm64"


class Channel(models.TextChoices):
    STABLE = "stable"
    BETA = "beta"


class ClientVersion(Row):
    """One build; `is_latest` publishes it for its platform, architecture and channel."""

    version = models.CharField(max_length=64)
    platform = models.CharField(max_length=16, choices=Platform)
    arch = models.CharField(max_length=16, choices=Arch)
    channel = models.CharField(max_length=16, choices=Channel, default=Channel.STABLE)
    download_url = models.URLField(max_length=500)
    checksum_sha256 = models.CharField(max_length=64)
    signature = models.TextField(blank=True)
    size = models.PositiveBigIntegerField(default=0)
    release_notes = models.TextField(blank=True)
    min_version = models.CharField(max_length=64, null=True, blank=True)
    is_latest = models.BooleanField(default=False)
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "client_versions"
        ordering = ("-published_at", "-created_at")
        constraints = (
            models.UniqueConstraint(
                fields=("version", "platform", "arch", "channel"), name="client_version_once"
            ),
            models.UniqueConstraint(
                fields=("platform", "arch", "channel"),
                condition=Q(is_latest=True),
                name="client_version_one_latest",
            ),
        )

    def __str__(self) -> str:
        return f"{self.version} {self.platform}/{self.arch} ({self.channel})"
