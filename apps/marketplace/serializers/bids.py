"""Bids as providers send and read them; prices are AIT per hour for all GPUs of a demand together."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import AmountField, ResourceSerializer, StrictSerializer, TimestampField
from apps.marketplace.logic.auction import score
from apps.marketplace.models import MarketplaceBid
from apps.marketplace.serializers.demands import LARGEST_HOUR
from apps.marketplace.services.bids import alias_of_bidder, auction_bid, terms_of
from apps.marketplace.states import BidState


class BidInputSerializer(StrictSerializer):
    """A provider's price, for one of its offers."""

    offer_id = serializers.UUIDField()
    price_hour = AmountField(max_value=LARGEST_HOUR)
    note = serializers.CharField(max_length=500, allow_blank=True, default="")
    expires_at = TimestampField(required=False, allow_null=True)
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
        return alias_of_bidder(bid)

    def get_score(self, bid: MarketplaceBid) -> str:
        return str(score(auction_bid(bid), terms_of(bid.demand)))

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
