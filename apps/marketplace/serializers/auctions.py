"""Demands, bids and awards as callers send and read them. Prices are AIT per hour for all GPUs of a demand together."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import AmountField, ResourceSerializer, StrictSerializer
from apps.marketplace.logic import award_proof
from apps.marketplace.logic.auction import score
from apps.marketplace.models import Award, DemandTransition, MarketplaceBid, MarketplaceDemand
from apps.marketplace.services.bids import counted, terms_of
from apps.marketplace.states import AuctionFormat, BidState, DemandState

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
    start_by = serializers.DateTimeField(required=False, allow_null=True)
    auction = serializers.ChoiceField(AuctionFormat.choices, default=AuctionFormat.PAY_AS_BID)
    weights = WeightsSerializer(required=False, help_text="Default: price 7000, quality 1500, reliability 1500.")
    closes_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Empty: it stands until you award it or it is matched."
    )
    external_id = serializers.CharField(max_length=100, allow_blank=True, default="")
    draft = serializers.BooleanField(default=False, help_text="true: not open to bids before it is published.")


class DemandSerializer(ResourceSerializer):
    """A demand; who asks is told to nobody else."""

    mine = serializers.SerializerMethodField()
    awarded = serializers.SerializerMethodField(help_text="The award's proof is at /award.")

    class Meta:
        model = MarketplaceDemand
        fields = (
            "id", "external_id", "state", "mine", "title", "gpu_models", "gpu_count", "min_memory_mb", "region",
            "filter", "constraints", "budget_hour", "reserve_hour", "duration_s", "start_by", "auction", "weights",
            "closes_at", "awarded", "created_at",
        )  # fmt: skip

    def get_mine(self, demand: MarketplaceDemand) -> bool:
        return bool(demand.renter_id == self.context["request"].user.pk)

    def get_awarded(self, demand: MarketplaceDemand) -> bool:
        return demand.state in (DemandState.AWARDED, DemandState.FULFILLED)


class DemandDetailSerializer(DemandSerializer):
    """A demand, and why it is in its state."""

    reason = serializers.SerializerMethodField(help_text="Of its last move.")

    class Meta(DemandSerializer.Meta):
        fields = (*DemandSerializer.Meta.fields, "reason")

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


class BidInputSerializer(StrictSerializer):
    """A provider's price, for one of its offers."""

    offer_id = serializers.UUIDField()
    price_hour = AmountField(max_value=LARGEST_HOUR)
    note = serializers.CharField(max_length=500, allow_blank=True, default="")
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    external_id = serializers.CharField(max_length=100, allow_blank=True, default="")


class BidSerializer(ResourceSerializer):
    """A bid. Its bidder, offer, bond and note are shown to its bidder and the demand's renter; others see an alias."""

    demand_id = serializers.UUIDField()
    bidder = serializers.SerializerMethodField(help_text="An alias, the same in the award's proof.")
    score = serializers.SerializerMethodField(help_text="A whole number; the highest wins (docs/auctions.md).")
    mine = serializers.SerializerMethodField()
    bidder_id = serializers.UUIDField(allow_null=True)
    offer_id = serializers.UUIDField(allow_null=True)
    external_id = serializers.CharField(allow_null=True)
    bond = AmountField(allow_null=True)
    note = serializers.CharField(allow_null=True)

    class Meta:
        model = MarketplaceBid
        fields = (
            "id", "demand_id", "state", "mine", "bidder", "bidder_id", "offer_id", "external_id", "price_hour", "score",
            "gpu_snapshot", "bond", "note", "expires_at", "created_at",
        )  # fmt: skip

    PRIVATE = ("bidder_id", "offer_id", "external_id", "bond", "note")

    def get_bidder(self, bid: MarketplaceBid) -> str:
        return award_proof.alias_of(str(bid.demand_id), str(bid.bidder_id))

    def get_score(self, bid: MarketplaceBid) -> str:
        return str(score(counted(bid), terms_of(bid.demand)))

    def get_mine(self, bid: MarketplaceBid) -> bool:
        return bool(bid.bidder_id == self.context["request"].user.pk)

    def to_representation(self, bid: MarketplaceBid) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(bid)
        if self.context["request"].user.pk not in (bid.bidder_id, bid.demand.renter_id):
            shown |= dict.fromkeys(self.PRIVATE)
        return shown


class BidFilterSerializer(StrictSerializer):
    """Which of one's bids."""

    state = serializers.ChoiceField(BidState.choices, required=False)
    demand_id = serializers.UUIDField(required=False)


class AwardInputSerializer(StrictSerializer):
    """The bid to take."""

    bid_id = serializers.UUIDField()


class SignatureOfAward(serializers.Serializer[Any]):
    """Ed25519 over `aitbc.award.v1`, a line feed and the canonical proof."""

    alg = serializers.CharField()
    key_id = serializers.CharField()
    sig = serializers.CharField()


class ProofBidSerializer(serializers.Serializer[Any]):
    """A bid as it counted; `refused` says why it did not."""

    id = serializers.CharField()
    bidder = serializers.CharField()
    at = serializers.CharField()
    price = serializers.CharField()
    quality = serializers.IntegerField(help_text="Millionths.")
    reliability = serializers.IntegerField(help_text="Millionths.")
    gpu = serializers.JSONField()
    refused = serializers.CharField()


class ProofInputsSerializer(serializers.Serializer[Any]):
    """Everything the outcome follows from."""

    award = serializers.CharField()
    demand = serializers.CharField()
    mode = serializers.ChoiceField(award_proof.MODES)
    choice = serializers.CharField(allow_null=True)
    format = serializers.ChoiceField(AuctionFormat.values)
    weights = WeightsSerializer()
    budget = serializers.CharField()
    reserve = serializers.CharField(allow_null=True)
    gpu_count = serializers.IntegerField()
    duration_s = serializers.IntegerField()
    closes_at = serializers.CharField(allow_null=True)
    cleared_at = serializers.CharField()
    bids = ProofBidSerializer(many=True)


class RankedSerializer(serializers.Serializer[Any]):
    bid = serializers.CharField()
    score = serializers.CharField()


class ProofOutcomeSerializer(serializers.Serializer[Any]):
    winner = serializers.CharField()
    price = serializers.CharField()
    ranking = RankedSerializer(many=True)


class ProofSerializer(serializers.Serializer[Any]):
    """The signed document, whole."""

    v = serializers.IntegerField()
    inputs = ProofInputsSerializer()
    outcome = ProofOutcomeSerializer()

    def to_representation(self, instance: Any) -> Any:
        return instance  # exactly what was signed


class AwardSerializer(ResourceSerializer):
    """How an auction ended: `manage.py market verify-award` computes it again from this answer alone."""

    demand_id = serializers.UUIDField()
    bid_id = serializers.UUIDField()
    booking_id = serializers.SerializerMethodField(help_text="Shown to its two parties.")
    proof = ProofSerializer()
    signature = SignatureOfAward()
    leaf = serializers.SerializerMethodField(help_text="Its entry in the log: /trading/transactions/{leaf}.")

    class Meta:
        model = Award
        fields = (
            "id", "demand_id", "bid_id", "price_hour", "booking_id", "digest", "proof", "signature", "leaf",
            "created_at",
        )  # fmt: skip

    def get_booking_id(self, award: Award) -> str | None:
        party = self.context["request"].user.pk in (award.bid.bidder_id, award.demand.renter_id)
        return str(award.booking_id) if party else None

    def get_leaf(self, award: Award) -> str:
        return award_proof.leaf_of(award.proof)
