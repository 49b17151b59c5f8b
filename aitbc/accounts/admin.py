"""People, owners and keys; a key's secret is shown once, when it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from aitbc.accounts.models import ApiKey, AuditEntry, Membership, Organisation, User
from aitbc.accounts.scopes import Scope
from aitbc.accounts.services import audit, keys, organisations
from aitbc.core.admin import Act, ActionsOnRows, ReadOnlyAdmin, Related, with_reason
from aitbc.core.admin_columns import related_links

admin.site.unregister(Group)
OWNED = (
    Related("keys", "accounts.apikey", "organisation_id"), Related("jobs", "ai.aijob", "owner_id"),
    Related("artifacts", "ai.artifact", "owner_id"), Related("miners", "gpu.miner", "owner_id"),
    Related("cards", "gpu.gpuregistry", "owner_id"), Related("offers", "marketplace.marketplaceoffer", "provider_id"),
    Related("bookings as renter", "marketplace.gpubooking", "renter_id"),
    Related("bookings as provider", "marketplace.gpubooking", "provider_id"),
    Related("demands", "marketplace.marketplacedemand", "renter_id"),
    Related("bids", "marketplace.marketplacebid", "bidder_id"),
    Related("accounts of the ledger", "trading.ledgeraccount", "owner_id"),
    Related("payments", "trading.payment", "owner_id"), Related("earnings", "trading.payment", "provider_id"),
    Related("receipts", "trading.receipt", "owner_id"), Related("bonds", "trading.bond", "owner_id"),
)  # fmt: skip
PRIVILEGES = frozenset({"is_staff", "is_superuser", "is_active", "user_permissions"})


@admin.register(User)
class UserAdmin(ActionsOnRows, DjangoUserAdmin, ModelAdmin):
    """People who sign in; only a superuser hands out privileges."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    fieldsets = (
        (None, {"fields": ("username", "password", "email", "first_name", "last_name")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    list_filter = ("is_staff", "is_superuser", "is_active")
    filter_horizontal = ("user_permissions",)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        own = ("last_login", "date_joined")
        return own if getattr(request.user, "is_superuser", False) else (*own, *sorted(PRIVILEGES))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # what people made stays theirs; deactivate instead

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Whoever may set a superuser's password is one.
        if obj is not None and getattr(obj, "is_superuser", False) and not getattr(request.user, "is_superuser", False):
            return False
        return super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        organisations.personal(obj)
        if changed := sorted(PRIVILEGES & set(form.changed_data)):
            audit.record(
                actor=f"user:{request.user}", action="user.rights", subject=obj.pk, detail={"changed": changed}
            )


class MembershipInline(TabularInline):
    model = Membership
    extra = 0


@admin.register(Organisation)
class OrganisationAdmin(ActionsOnRows):
    """Owners of jobs, miners and accounts."""

    list_display = ("name", "id", "person", "banned_at", "created_at")
    readonly_fields = ("id", "person", "banned_at", "ban_reason", "created_at", "elsewhere")
    search_fields = ("name", "id")
    inlines = (MembershipInline,)
    actions = ("ban", "unban")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.action(description="Ban, with a reason", permissions=["change"])
    def ban(self, request: HttpRequest, queryset: QuerySet[Organisation]) -> HttpResponse | None:
        effect = "Every request with a key of each owner is refused within a second. Jobs and bookings under way go on."
        return with_reason(self, request, queryset, Act("ban", "Ban", effect, self._each(request, organisations.ban)))

    @admin.action(description="Lift the ban, with a reason", permissions=["change"])
    def unban(self, request: HttpRequest, queryset: QuerySet[Organisation]) -> HttpResponse | None:
        effect = "The keys of each owner work again within a second, but for those that were revoked."
        run = self._each(request, organisations.unban)
        return with_reason(self, request, queryset, Act("unban", "Lift the ban", effect, run))

    def _each(self, request: HttpRequest, service: Any) -> Callable[[QuerySet[Organisation], str], int]:
        def run(chosen: QuerySet[Organisation], reason: str) -> int:
            for organisation in chosen:
                service(organisation=organisation, reason=reason, actor=f"user:{request.user}")
            return len(chosen)

        return run

    @admin.display(description="elsewhere")
    def elsewhere(self, organisation: Organisation) -> str:
        return related_links(organisation, OWNED)


class KeyForm(forms.ModelForm):
    """What one says about a new key; the rest is made."""

    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = ApiKey
        fields = ("organisation", "name", "scopes", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(ActionsOnRows):
    """Keys are made and revoked, never edited."""

    form = KeyForm
    list_display = ("name", "prefix", "organisation", "scopes", "expires_at", "revoked_at", "last_used_at")
    list_select_related = ("organisation",)
    search_fields = ("name", "prefix", "organisation__name")
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("accounts.change_apikey"))

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm, change: bool) -> None:
        data = form.cleaned_data
        made, secret = keys.create(
            data["organisation"], data["scopes"], data["name"], data["expires_at"], actor=f"user:{request.user}"
        )
        # The admin goes on with the row it was given: let that be the one the service wrote.
        obj.__dict__.update(made.__dict__)
        messages.warning(request, f"Copy this key now, it is not shown again: {secret}")

    @admin.action(description="Revoke, with a reason", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        def run(chosen: QuerySet[ApiKey], reason: str) -> int:
            actor = f"user:{request.user}"
            return sum(keys.revoke(prefix=key.prefix, actor=actor, reason=reason) for key in chosen)

        effect = "Each key stops working within a second, everywhere. This cannot be undone; make a new key instead."
        return with_reason(self, request, queryset, Act("revoke", "Revoke keys", effect, run))


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """The book of privileged acts."""

    list_display = ("at", "actor", "action", "subject", "reason")
    list_filter = ("action",)
    search_fields = ("actor", "subject")
