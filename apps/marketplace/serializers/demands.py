"""Demands as renters send and read them; prices are AIT per hour for all GPUs of a demand together."""

from __future__ import annotations

from rest_framework import serializers

from aitbc.core.serializers import AmountField, ResourceSerializer, StrictSerializer, TimestampField
from apps.marketplace.models import DemandTransition, MarketplaceDemand
from apps.marketplace.states import AuctionFormat, DemandState

LARGEST_HOUR = 10**15  # 10⁹ AIT per hour: a booking of a year stays within 63 bits


class WeightsSerializer(StrictSerializer):
    """What counts how much, in basis points that sum to 10000."""

    price = serializers.IntegerField(min_value=1, max_value=10_000)
    quality = serializers.IntegerField(min_value=0, max_value=10_000, default=0)
    reliability = serializers.IntegerField(min_value=0, max_value=10_000, default=0)


class DemandInputSerializer(StrictSerializer):
    """A demand as its renter asks for it."""

    title = serializers.CharField(max_length=200, allow_blank=True, default="")
    gpu_models = serializers.ListField(child=serializers.CharField(max_length=120), max_length=20, default=list)
    gpu_count = serializers.IntegerField(min_value=1, max_value=1000, default=1)
    min_memory_mb = serializers.IntegerField(min_value=0, max_value=10**8, default=0)
    region = serializers.CharField(max_length=64, allow_blank=True, default="")
    filter = serializers.CharField(
        max_length=2000, allow_blank=True, default="", help_text='Search grammar, e.g. "gpu_ram>=24 AND verified=true".'
    )
    constraints = serializers.CharField(
        max_length=2000, allow_blank=True, default="", help_text='CEL, e.g. "provider.rating >= 4.5".'
    )
    budget_hour = AmountField(min_value=1, max_value=LARGEST_HOUR)
    reserve_hour = AmountField(min_value=1, max_value=LARGEST_HOUR, required=False, allow_null=True)
    duration_s = serializers.IntegerField(min_value=1, max_value=365 * 86_400)
    start_by = TimestampField(required=False, allow_null=True)
    auction = serializers.ChoiceField(AuctionFormat.choices, default=AuctionFormat.PAY_AS_BID)
    weights = WeightsSerializer(required=False, help_text="Default: price 7000, quality 1500, reliability 1500.")
    closes_at = TimestampField(
        required=False, allow_null=True, help_text="Empty: it stands until you award it or it is matched."
    )
    external_id = serializers.CharField(max_length=100, allow_blank=True, default="")
    draft = serializers.BooleanField(default=False, help_text="true: not open to bids before it is published.")


class DemandSerializer(ResourceSerializer):
    """A demand; its renter is shown to nobody else."""

    mine = serializers.SerializerMethodField()
    awarded = serializers.SerializerMethodField(help_text="The award's proof is at /award.")

    class Meta:
        model = MarketplaceDemand
        fields = [
            "id", "external_id", "state", "mine", "title", "gpu_models", "gpu_count", "min_memory_mb", "region",
            "filter", "constraints", "budget_hour", "reserve_hour", "duration_s", "start_by", "auction", "weights",
            "closes_at", "awarded", "created_at",
        ]  # fmt: skip

    def get_mine(self, demand: MarketplaceDemand) -> bool:
        return bool(demand.renter_id == self.context["request"].user.pk)

    def get_awarded(self, demand: MarketplaceDemand) -> bool:
        return demand.state in (DemandState.AWARDED, DemandState.FULFILLED)


class DemandDetailSerializer(DemandSerializer):
    """A demand, and why it is in its state."""

    reason = serializers.SerializerMethodField(help_text="Of its last transition.")

    class Meta(DemandSerializer.Meta):
        fields = [*DemandSerializer.Meta.fields, "reason"]

    def get_reason(self, demand: MarketplaceDemand) -> str:
        last = DemandTransition.objects.filter(subject_id=demand.pk).order_by("-seq").first()
        return last.reason if last else ""


class DemandFilterSerializer(StrictSerializer):
    """Which demands: those that take bids, or one's own in any state."""

    mine = serializers.BooleanField(default=False)
    state = serializers.ChoiceField(DemandState.choices, required=False)
    gpu_count = serializers.IntegerField(min_value=1, required=False)
    region = serializers.CharField(max_length=64, required=False)


class DemandReasonSerializer(StrictSerializer):
    """Why, in a few words."""

    reason = serializers.CharField(max_length=300, allow_blank=True, default="")
