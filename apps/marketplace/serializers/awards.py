"""Awards and their proofs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import ResourceSerializer, StrictSerializer
from apps.marketplace.logic import award_proof
from apps.marketplace.models import Award
from apps.marketplace.serializers.demands import WeightsSerializer
from apps.marketplace.states import AuctionFormat


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
