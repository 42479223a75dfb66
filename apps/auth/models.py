"""People, their sign-in sessions, and the keys of people and programs."""

from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin
from django.contrib.auth.models import BaseUserManager as DjangoUserManager
from django.core.validators import URLValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from apps.core.models_base import Row
from apps.core.tenancy import OrgOwned


def canonical_email(email: str) -> str:
    """The one spelling under which an address is stored and looked up."""
    return email.strip().lower()


class UserManager(DjangoUserManager):
    def get_by_natural_key(self, username: str) -> "User":
        return self.get(email=canonical_email(username))

    def create_user(self, email: str, password: str | None = None, **values: object) -> "User":
        user = self.model(email=canonical_email(email), **values)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **values: object) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **values)


class User(Row, AbstractBaseUser, PermissionsMixin):
    """A person; `is_staff` opens the admin and gives no right in any organisation."""

    email = models.EmailField(max_length=254, unique=True)
    email_verified = models.BooleanField(default=False)
    full_name = models.CharField(max_length=200, blank=True)
    avatar_url = models.CharField(max_length=500, blank=True, validators=[URLValidator(["https"])])
    locale = models.CharField(max_length=10, default="en")
    sessions_valid_after = models.DateTimeField(default=timezone.now)
    failed_logins = models.PositiveIntegerField(default=0, help_text="in a row, from all networks")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: list[str] = []

    class Meta:
        db_table = "users"
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_without_case")]

    def __str__(self) -> str:
        return self.email


class Session(Row):
    """A sign-in on one browser or device; ending it ends its tokens and closes its sockets."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="auth_sessions")
    kind = models.CharField(max_length=10, choices=[(x, x) for x in ("browser", "cli", "device")])
    device = models.CharField(max_length=100, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)
    ip = models.CharField(max_length=45, blank=True)
    fingerprint = models.CharField(max_length=64, help_text="hash of user agent family and network")
    stepped_up_until = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=30, blank=True)

    class Meta:
        db_table = "sessions"
        indexes = [models.Index(fields=["user", "ended_at"], name="sessions_live_by_user")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"


class RefreshToken(Row):
    """One token of a session's family; using it twice ends the family."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="tokens")
    token_hash = models.CharField(max_length=64, unique=True)
    generation = models.PositiveIntegerField(default=0)
    used_at = models.DateTimeField(null=True)
    successor = models.BinaryField(null=True, help_text="the next token, sealed, during the grace seconds")
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "refresh_tokens"


class OneTimeToken(Row):
    """A secret that works once: codes of the command-line sign-in, device codes, socket tickets."""

    purpose = models.CharField(max_length=10, choices=[(x, x) for x in ("cli", "device", "ticket")])
    token_hash = models.CharField(max_length=64, unique=True)
    subject = models.JSONField(default=dict)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "one_time_tokens"


class SigningKey(Row):
    """A P-256 key that signs tokens; the private half is sealed."""

    kid = models.CharField(max_length=43, unique=True)
    state = models.CharField(max_length=10, choices=[(x, x) for x in ("active", "retiring", "retired")])
    public_key = models.TextField(help_text="PEM")
    private_key = models.BinaryField(help_text="PKCS#8, sealed")
    not_after = models.DateTimeField(null=True)
    introduction = models.TextField(null=True, help_text="a token in which the key before names this one")

    class Meta:
        db_table = "signing_keys"
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=models.Q(state="active"), name="signing_key_one_active"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kid} {self.state}"


class ApiKey(OrgOwned):
    """A program's key to one organisation; only its hash is stored."""

    name = models.CharField(max_length=100)
    key_hash = models.CharField(max_length=64, unique=True)
    key_prefix = models.CharField(max_length=24)
    scopes = models.JSONField(default=list)
    rate_limit_rpm = models.PositiveIntegerField(default=60)
    allowed_cidrs = models.JSONField(null=True)
    usage_count = models.PositiveBigIntegerField(default=0)
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    revoked = models.BooleanField(default=False)
    revoked_at = models.DateTimeField(null=True)
    rotated_from = models.OneToOneField(
        "self", on_delete=models.SET_NULL, null=True, related_name="successor"
    )
    grace_until = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(OrgOwned.Meta):
        db_table = "api_keys"
        indexes = [models.Index(fields=["org", "created_at"], name="api_keys_by_org")]

    def __str__(self) -> str:
        return self.name
