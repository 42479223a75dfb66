"""Machines, the keys that enrol them, and what travels to and between them."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from apps.core.tenancy import OrgManager, OrgOwned

OSES = ("linux", "macos", "windows", "ios", "android", "unknown")
STATUSES = ("online", "offline", "pending", "quarantined")
# Strongest first: a weaker reason never replaces a stronger one.
QUARANTINE_REASONS = ("admin", "member_removed", "key_revoked", "review", "risk", "posture")
# Whom a tag may belong to.
PRINCIPALS = ("user", "group")
FLAGS = ("shields_up", "ssh_enabled", "accept_routes", "advertise_exit_node", "auto_update")


def _choices(*values: str) -> list[tuple[str, str]]:
    return [(value, value) for value in values]


class AuthKey(OrgOwned):
    """Lets machines enrol without a person; only its hash is kept."""

    name = models.CharField(max_length=100)
    description = models.CharField(max_length=255, null=True, blank=True)
    key_hash = models.CharField(max_length=64, unique=True)
    key_prefix = models.CharField(max_length=30)
    reusable = models.BooleanField(default=False)
    ephemeral = models.BooleanField(default=False)
    pre_approved = models.BooleanField(default=False)
    tags = models.JSONField(null=True, blank=True, help_text="put on each machine")
    allowed_tags = models.JSONField(null=True, blank=True, help_text="what a machine may ask for")
    allowed_cidrs = models.JSONField(null=True, blank=True)
    max_uses = models.PositiveIntegerField(null=True, blank=True)
    used_count = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField()
    expired = models.BooleanField(default=False)
    revoked = models.BooleanField(default=False)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(OrgOwned.Meta):
        db_table = "auth_keys"
        indexes = [
            models.Index(fields=["org", "-created_at"], name="auth_key_by_org"),
            models.Index(fields=["expires_at"], condition=Q(expired=False), name="auth_key_unexpired"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def uses_left(self) -> bool:
        """Whether one more machine may enrol with it."""
        limit = self.max_uses if self.reusable else 1
        return limit is None or self.used_count < limit


class MachineQuerySet(models.QuerySet):
    """Reads that several services share."""

    def with_owner(self) -> "MachineQuerySet":
        return self.select_related("owner", "org")

    def locked_row(self, machine_id: Any) -> "Machine | None":
        """The row, held until the end of the transaction."""
        return self.select_for_update().filter(pk=machine_id).first()


class Machine(OrgOwned):
    """A device on the tailnet. `status` is what `state.status_of` says, kept for reading."""

    name = models.CharField(max_length=63)
    os = models.CharField(max_length=10, choices=_choices(*OSES), default="unknown")
    os_version_detail = models.CharField(max_length=100, null=True, blank=True)
    version = models.CharField(max_length=40, null=True, blank=True)
    owner = models.ForeignKey(
        "ztna_auth.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    auth_key = models.ForeignKey(AuthKey, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    ephemeral = models.BooleanField(default=False)
    tags = models.JSONField(default=list, blank=True)
    tailnet_ip = models.CharField(max_length=15)
    tailnet_ipv6 = models.CharField(max_length=39)

    public_key = models.CharField(max_length=44, help_text="WireGuard, base64")
    mlkem_public_key = models.TextField(null=True, blank=True)
    identity_public_key = models.CharField(max_length=44, null=True, blank=True)
    identity_signature = models.CharField(max_length=88, null=True, blank=True)
    disco_public_key = models.CharField(max_length=44, null=True, blank=True)
    node_key_hash = models.CharField(max_length=64, unique=True)
    key_created_at = models.DateTimeField()
    key_expiry_disabled = models.BooleanField(default=False)
    key_expired_at = models.DateTimeField(null=True, blank=True)
    node_key_pending = models.BooleanField(default=False, help_text="the agent may fetch a new node key")

    status = models.CharField(max_length=12, choices=_choices(*STATUSES))
    last_seen = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(
        "ztna_auth.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    admin_disabled = models.BooleanField(default=False)
    disabled_by_admin = models.BooleanField(default=False)
    quarantine_reason = models.CharField(
        max_length=14, choices=_choices(*QUARANTINE_REASONS), null=True, blank=True
    )
    quarantine_note = models.CharField(max_length=500, null=True, blank=True)
    quarantined_at = models.DateTimeField(null=True, blank=True)
    quarantined_by = models.ForeignKey(
        "ztna_auth.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    locked = models.BooleanField(default=False)
    wiped_at = models.DateTimeField(null=True, blank=True)

    public_address = models.GenericIPAddressField(
        null=True, blank=True, help_text="where the control plane last heard it from"
    )
    endpoints = models.JSONField(default=list, blank=True)
    derp_region = models.CharField(max_length=16, null=True, blank=True)
    derp_latencies = models.JSONField(default=dict, blank=True)
    client_connectivity = models.JSONField(default=dict, blank=True)
    shields_up = models.BooleanField(default=False)
    ssh_enabled = models.BooleanField(default=False)
    accept_routes = models.BooleanField(default=False)
    advertised_routes = models.JSONField(default=list, blank=True)
    approved_routes = models.JSONField(default=list, blank=True)
    advertise_exit_node = models.BooleanField(default=False)
    exit_node_approved = models.BooleanField(default=False)
    auto_update = models.BooleanField(default=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = OrgManager.from_queryset(MachineQuerySet)()

    class Meta(OrgOwned.Meta):
        db_table = "machines"
        constraints = [
            models.UniqueConstraint("org", Lower("name"), name="machine_name_per_org"),
            models.UniqueConstraint(fields=["org", "tailnet_ip"], name="machine_address_per_org"),
            # Peers are told apart by these: two machines with one key would take each other's traffic.
            models.UniqueConstraint(fields=["org", "public_key"], name="machine_wireguard_key_per_org"),
            models.UniqueConstraint(fields=["org", "disco_public_key"], name="machine_disco_key_per_org"),
            models.UniqueConstraint(fields=["org", "identity_public_key"], name="machine_identity_per_org"),
        ]
        indexes = [
            models.Index(fields=["org", "status"], name="machine_by_status"),
            models.Index(fields=["last_seen"], condition=Q(status="online"), name="machine_online_seen"),
            models.Index(fields=["key_created_at"], name="machine_by_key_age"),
        ]

    def __str__(self) -> str:
        return self.name


class TagOwner(OrgOwned):
    """Who may put a tag on his machines. principal: always user, until there are groups of people."""

    tag = models.CharField(max_length=50)
    principal = models.CharField(max_length=5, choices=_choices(*PRINCIPALS), default="user")
    user = models.ForeignKey("ztna_auth.User", on_delete=models.CASCADE, related_name="+")
    created_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(OrgOwned.Meta):
        db_table = "tag_owners"
        constraints = [models.UniqueConstraint(fields=["org", "tag", "user"], name="tag_owner_once")]
        indexes = [models.Index(fields=["org", "user"], name="tag_owner_by_user")]

    def __str__(self) -> str:
        return f"tag:{self.tag} of {self.user_id}"


class AddressCursor(OrgOwned):
    """How many addresses an organisation has given out; its row lock puts enrolments in line."""

    given = models.PositiveIntegerField(default=0)

    class Meta(OrgOwned.Meta):
        db_table = "address_cursors"
        constraints = [models.UniqueConstraint(fields=["org"], name="address_cursor_one_per_org")]


class NetmapChange(OrgOwned):
    """Which machine changed at which version of the organisation's map."""

    version = models.BigIntegerField()
    machine_id = models.UUIDField(help_text="no foreign key: the machine may be gone")
    rights = models.BooleanField(default=False, help_text="what policy knows of it changed")

    class Meta(OrgOwned.Meta):
        db_table = "netmap_changes"
        indexes = [
            models.Index(fields=["org", "version"], name="netmap_change_by_version"),
            models.Index(fields=["created_at"], name="netmap_change_by_age"),
        ]


class NetmapAck(OrgOwned):
    """A machine has a version of the map in force; created_at is when it said so."""

    machine_id = models.UUIDField(help_text="no foreign key: the machine may be gone")
    version = models.BigIntegerField()
    took_ms = models.PositiveIntegerField(help_text="since the commit of the oldest change in it")

    class Meta(OrgOwned.Meta):
        db_table = "netmap_acks"
        indexes = [
            models.Index(fields=["org", "created_at"], name="netmap_ack_by_age"),
            models.Index(fields=["created_at"], name="netmap_ack_to_prune"),
        ]


class KeyExchange(OrgOwned):
    """A hybrid exchange that waits for its responder; the key material is gone once it is done."""

    requester_machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="+")
    responder_machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="+")
    protocol = models.CharField(max_length=2, choices=_choices("v1"), default="v1")
    status = models.CharField(
        max_length=10, choices=_choices("pending", "completed", "expired"), default="pending"
    )
    x25519_public = models.CharField(max_length=44, null=True, blank=True)
    mlkem_ciphertext = models.TextField(null=True, blank=True)
    nonce = models.CharField(max_length=44, null=True, blank=True)
    signature = models.CharField(max_length=88, null=True, blank=True)
    confirm = models.CharField(max_length=44, null=True, blank=True)
    confirm_signature = models.CharField(max_length=88, null=True, blank=True)
    expires_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta(OrgOwned.Meta):
        db_table = "key_exchanges"
        constraints = [
            models.UniqueConstraint(
                fields=["requester_machine", "responder_machine"], name="key_exchange_one_per_direction"
            )
        ]
        indexes = [models.Index(fields=["responder_machine", "status"], name="key_exchange_waiting")]


class AgentCommand(OrgOwned):
    """An order to one machine, delivered when its agent is heard."""

    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="+")
    command_type = models.CharField(max_length=20, choices=_choices("lock", "unlock", "wipe"))
    parameters = models.JSONField(default=dict, blank=True)
    status = models.CharField(
        max_length=10,
        choices=_choices(
            "pending", "delivered", "running", "completed", "failed", "timeout", "expired", "refused"
        ),
        default="pending",
    )
    issued_by = models.ForeignKey("ztna_auth.User", on_delete=models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    output = models.TextField(null=True, blank=True)

    class Meta(OrgOwned.Meta):
        db_table = "agent_commands"
        indexes = [
            models.Index(
                fields=["machine", "created_at"],
                condition=Q(status__in=("pending", "delivered", "running")),
                name="agent_command_unfinished",
            )
        ]
