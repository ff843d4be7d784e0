"""Users, accounts and what opens them. Everything that belongs to an account is reached from the account."""

import secrets
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone


def new_account_id() -> str:
    """`a` and 10 hex digits."""
    return "a" + secrets.token_hex(5)


class Users(BaseUserManager["User"]):
    """Finds a user by e-mail address in any letter case, for Django's sign-in."""

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user with this address; User.DoesNotExist when there is none."""
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser):
    """A person, who signs in by e-mail address and belongs to any number of accounts."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    created = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[Users] = Users()
    USERNAME_FIELD = "email"

    def clean(self) -> None:
        """Addresses are kept in lower case."""
        super().clean()
        self.email = self.email.lower()


class Account(models.Model):
    """What owns nodes, keys and all data: a team, or one person."""

    id = models.CharField(primary_key=True, max_length=11, default=new_account_id, editable=False)
    name = models.CharField(max_length=200)
    created = models.DateTimeField(default=timezone.now, editable=False)
    members = models.ManyToManyField(User, through="Membership", related_name="accounts")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """That a user belongs to an account, and as what."""

    class Role(models.TextChoices):
        """An owner may do everything; a member everything but manage members; a viewer only look."""

        OWNER = "owner"
        MEMBER = "member"
        VIEWER = "viewer"

    account = models.ForeignKey(Account, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)

    class Meta:
        """A user is in an account once."""

        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "user"], name="one_membership")]


class ApiKey(models.Model):
    """What agents and API clients show. The secret is kept encrypted, because OAuth 1.0 computes with it."""

    class Permission(models.TextChoices):
        """An agent may send data; a reader may read, a writer may change, what the account owns."""

        AGENT = "agent"
        READ = "read"
        WRITE = "write"

    account = models.ForeignKey(Account, models.CASCADE, related_name="keys")
    key = models.CharField(max_length=40, unique=True)
    encrypted_secret = models.TextField()
    name = models.CharField(max_length=200)
    permissions = models.JSONField()
    created = models.DateTimeField(default=timezone.now, editable=False)
    last_used = models.DateTimeField(null=True, editable=False)
    revoked = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"{self.name} ({self.key})"


class SignInLink(models.Model):
    """A link that signs its user in, once; only the hash of its token is kept."""

    user = models.ForeignKey(User, models.CASCADE, related_name="sign_in_links")
    token_hash = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True)
