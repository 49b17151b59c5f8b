"""Offers over slots, with the facts of the GPUs behind them copied in for searching, and their revisions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Cast, Concat, Lower, Now, Replace
from django.utils import timezone

from aitbc.core.fields import AmountField, JSONField
from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.marketplace.states import OFFER_TRANSITIONS, OfferState

LISTED = (OfferState.OPEN, OfferState.BOOKED_OUT)


#: May still be booked, now or later.
LIVE = (OfferState.DRAFT, OfferState.OPEN, OfferState.PAUSED, OfferState.BOOKED_OUT)


#: Words in front of a model that people leave out.
MAKERS = ("nvidia ", "amd ", "geforce ", "radeon ")


#: What a search looks at: all of it lies in one index, so that no search reads the table but for what it shows.
SEARCHED = (
    "state", "rentable", "price_gpu_hour", "price_storage_gb_month", "gpu_count", "memory_mb", "bandwidth_gbps",
    "fp32_tflops", "fp16_tflops", "tdp_w", "compute_capability", "cuda", "up_mbps", "down_mbps", "verified",
    "benchmark", "reliability", "rating", "reviews", "model_key", "vendor", "architecture", "region", "device",
    "bonded", "backed", "min_duration_s", "max_duration_s", "available_from", "available_until",
)  # fmt: skip


def _model_key() -> Replace:
    """The model in one form: lower case, `_` for a space, without its maker."""
    key = Replace(Lower("gpu_model"), Value("_"), Value(" "))
    for maker in MAKERS:
        key = Replace(key, Value(maker), Value(""))
    return key


def _words() -> Lower:
    """All of an offer's texts, for searching by words."""
    texts = ("gpu_model", "gpu_name", "title", "description", Cast("attributes", models.TextField()))
    spaced = [part for text in texts for part in (text, Value(" "))]
    return Lower(Concat(*spaced, output_field=models.TextField()))


class OfferQuerySet(models.QuerySet["MarketplaceOffer"]):
    def owned_by(self, provider_id: UUID) -> Self:
        return self.filter(provider_id=provider_id)

    def listed(self) -> Self:
        """What the public sees: open, or fully booked for now."""
        return self.filter(state__in=LISTED)

    def open(self) -> Self:
        return self.filter(state=OfferState.OPEN)

    def over_any(self, slots: Collection[UUID]) -> Self:
        return self.filter(slots__overlap=list(slots))

    def expiring(self, now: datetime) -> Self:
        return self.filter(state__in=LIVE, available_until__lt=now)

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)


class MarketplaceOffer(StatefulModel):
    """GPU time for sale: which slots, at what price, to whom. A slot is a card's id; unbacked offers make slots up."""

    TRANSITIONS = OFFER_TRANSITIONS
    HISTORY = "OfferTransition"

    class Kind(models.TextChoices):
        ONDEMAND = "ondemand"

    class Pricing(models.TextChoices):
        FIXED = "fixed"
        DYNAMIC = "dynamic"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    external_id = models.CharField(max_length=100, blank=True, help_text="The client's own id; unique per provider.")
    provider_id = models.UUIDField()
    provider_name = models.CharField(max_length=150, blank=True, help_text="As a legacy client calls itself.")
    title = models.CharField(max_length=200, blank=True)
    description = models.CharField(max_length=2000, blank=True)
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.ONDEMAND)
    state = models.CharField(max_length=12, choices=OfferState, default=OfferState.DRAFT)
    revision = models.PositiveIntegerField(default=1, help_text="Counts edits: the ETag.")
    # What is sold
    slots = ArrayField(models.UUIDField(), help_text="One per GPU: a booking excludes others on these.")
    backed = models.BooleanField(help_text="Its slots are cards of the registry.")
    gpu_count = models.PositiveSmallIntegerField()
    miner_id = models.UUIDField(null=True)
    # For how much
    price_gpu_hour = AmountField(help_text="micro-AIT per GPU and hour, at present.")
    base_price = AmountField(help_text="What the provider asked; dynamic prices move around it.")
    price_storage_gb_month = AmountField(default=0)
    pricing = models.CharField(max_length=8, choices=Pricing, default=Pricing.FIXED)
    floor = AmountField(null=True, default=None)
    ceiling = AmountField(null=True, default=None)
    bonded = models.BooleanField(default=False, help_text="The provider pledges a bond for each booking.")
    extend_at_same_price = models.BooleanField(default=True)
    # When and to whom
    min_duration_s = models.PositiveIntegerField(default=60)
    max_duration_s = models.PositiveIntegerField(default=30 * 86_400)
    available_from = models.DateTimeField(default=timezone.now)
    available_until = models.DateTimeField(null=True)
    reclaim_notice_s = models.PositiveIntegerField(default=3600)
    constraints = models.CharField(max_length=2000, blank=True, help_text="CEL over the renter and its demand.")
    attributes = JSONField(default=dict)
    # Facts of the (least of the) cards, copied from Device
    device = models.CharField(max_length=4, default="gpu")
    gpu_name = models.CharField(max_length=120, blank=True)
    gpu_model = models.CharField(max_length=120, blank=True, help_text="Of the catalogue; else the reported name.")
    vendor = models.CharField(max_length=40, blank=True)
    architecture = models.CharField(max_length=40, blank=True)
    memory_mb = models.PositiveIntegerField(default=0, help_text="Of each GPU.")
    bandwidth_gbps = models.FloatField(null=True)
    fp32_tflops = models.FloatField(null=True)
    fp16_tflops = models.FloatField(null=True)
    tdp_w = models.FloatField(null=True)
    compute_capability = models.FloatField(null=True)
    cuda = models.FloatField(null=True)
    driver = models.CharField(max_length=40, blank=True)
    region = models.CharField(max_length=64, blank=True)
    up_mbps = models.FloatField(null=True)
    down_mbps = models.FloatField(null=True)
    verified = models.BooleanField(default=False)
    verified_at = models.DateTimeField(null=True)
    rentable = models.BooleanField(default=False, help_text="Its miner is heard and no card is quarantined.")
    benchmark = models.FloatField(null=True, help_text="Measured score, RTX 3090 = 100.")
    reliability = models.FloatField(default=0.0)
    rating = models.FloatField(null=True)
    reviews = models.PositiveIntegerField(default=0)
    score = models.FloatField(default=0.0, help_text="What a search without `order` sorts by.")
    model_key = models.GeneratedField(expression=_model_key(), output_field=models.TextField(), db_persist=True)
    words = models.GeneratedField(expression=_words(), output_field=models.TextField(), db_persist=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = OfferQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="marketplace_offer_external", fields=["provider_id", "external_id"], condition=~Q(external_id="")
            ),
            models.CheckConstraint(name="marketplace_offer_state_known", condition=Q(state__in=OfferState.values)),
            models.CheckConstraint(name="marketplace_offer_price", condition=Q(price_gpu_hour__gt=0)),
            models.CheckConstraint(name="marketplace_offer_count", condition=Q(gpu_count__gte=1)),
            models.CheckConstraint(name="marketplace_offer_slots", condition=Q(slots__len=F("gpu_count"))),
            models.CheckConstraint(
                name="marketplace_offer_durations",
                condition=Q(min_duration_s__gte=1) & Q(max_duration_s__gte=F("min_duration_s")),
            ),
            models.CheckConstraint(
                name="marketplace_offer_bounds",
                condition=Q(floor=None) | Q(ceiling=None) | Q(floor__lte=F("ceiling")),
            ),
        ]
        indexes = [
            models.Index(name="marketplace_offer_provider", fields=["provider_id", "-created_at"]),
            models.Index(
                name="marketplace_offer_search",
                fields=["-score", "id"],
                include=SEARCHED,
                condition=Q(state__in=LISTED),
            ),
            GinIndex(OpClass(F("words"), name="gin_trgm_ops"), name="marketplace_offer_words"),
            models.Index(name="marketplace_offer_model", fields=["gpu_model", "region"], condition=Q(state="open")),
            models.Index(name="marketplace_offer_until", fields=["available_until"]),
            GinIndex(name="marketplace_offer_on_slots", fields=["slots"]),
            GinIndex(name="marketplace_offer_attributes", fields=["attributes"], opclasses=["jsonb_path_ops"]),
        ]

    def __str__(self) -> str:
        return f"{self.gpu_count} × {self.gpu_model or 'GPU'} {self.pk}"


class OfferTransition(AbstractTransition):
    """One transition of an offer."""


class OfferRevision(models.Model):
    """An offer as one edit left it; append-only. The price history is read from these."""

    id = models.BigAutoField(primary_key=True)
    offer = models.ForeignKey(MarketplaceOffer, on_delete=models.PROTECT, related_name="revisions")
    revision = models.PositiveIntegerField()
    price_gpu_hour = AmountField()
    changes = JSONField(default=dict, help_text="Field → [before, after].")
    actor = models.CharField(max_length=120)
    reason = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["offer_id", "revision"]
        constraints = [models.UniqueConstraint(name="marketplace_revision_once", fields=["offer", "revision"])]

    def __str__(self) -> str:
        return f"revision {self.revision} of {self.offer_id}"
