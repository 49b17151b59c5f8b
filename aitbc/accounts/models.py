"""Who takes part: people, the organisations that own things, and the keys they act with."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from aitbc.accounts.scopes import Scope
from aitbc.core.fields import JSONField
from aitbc.core.ids import uuid7


class User(AbstractUser):
    """A person who can sign in."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)


class Organisation(models.Model):
    """An owner: jobs, miners, accounts and plugins belong to organisations; every user has a personal one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=150, unique=True)
    person = models.OneToOneField(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="personal_organisation", editable=False
    )
    members = models.ManyToManyField(User, through="Membership", related_name="organisations")
    banned_at = models.DateTimeField(null=True, blank=True, editable=False)
    ban_reason = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's place in an organisation."""

    class Role(models.TextChoices):
        OWNER = "owner"
        MEMBER = "member"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="accounts_membership_once", fields=["user", "organisation"]),
            models.CheckConstraint(name="accounts_membership_role_known", condition=Q(role__in=["owner", "member"])),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.organisation}"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def live(self, now: datetime | None = None) -> Self:
        """Keys that open something at this moment."""
        now = now or timezone.now()
        return self.filter(revoked_at__isnull=True).filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))


class ApiKey(models.Model):
    """A secret that acts for an organisation within its scopes; only its SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="keys")
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope), size=len(Scope))
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(name="accounts_apikey_scopes_known", condition=Q(scopes__contained_by=Scope.values)),
            models.CheckConstraint(name="accounts_apikey_scopes_some", condition=Q(scopes__len__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.name} (aitbc_{self.prefix}_…)"


class AuditEntry(models.Model):
    """A privileged act: who did what to what, and why. Rows are only ever added."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(default=timezone.now, editable=False)
    actor = models.CharField(max_length=200, editable=False)
    action = models.CharField(max_length=100, editable=False)
    subject = models.CharField(max_length=200, editable=False)
    reason = models.TextField(blank=True, editable=False)
    detail = JSONField(default=dict, editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.subject}"
