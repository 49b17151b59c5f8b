"""Searches: their queries and their answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from aitbc.core.pagination import DEFAULT, LARGEST
from aitbc.core.serializers import AmountField, StrictSerializer, TimestampField
from apps.gpu import interface as gpu
from apps.marketplace.errors import FilterInvalid
from apps.marketplace.models import MarketplaceOffer
from apps.marketplace.search import fields, terms
from apps.marketplace.search.finding import Explanation
from apps.marketplace.search.statements import Search, Window
from apps.marketplace.serializers.offers import OfferSerializer

LONGEST_S = 366 * 86_400
MOST_WORDS = 8


class SearchQuerySerializer(StrictSerializer):
    """A search in the query string."""

    filter = serializers.CharField(
        max_length=16_000, allow_blank=True, default="", help_text="Terms: `gpu_ram>=8 dph<1`; see /fields."
    )
    q = serializers.CharField(max_length=200, allow_blank=True, default="", help_text="Words of model, title, text.")
    order = serializers.CharField(
        max_length=200, allow_blank=True, default="", help_text="`-score,dph`; - before or behind descends."
    )
    model = serializers.CharField(
        max_length=120, allow_blank=True, default="", help_text="Language model that tokens_s and so on are of."
    )
    storage_gb = serializers.IntegerField(min_value=0, max_value=1_000_000, default=0)
    duration_s = serializers.IntegerField(min_value=1, max_value=LONGEST_S, required=False)
    starts_at = TimestampField(required=False, help_text="With duration_s; at once when left out.")
    gpus = serializers.IntegerField(min_value=1, max_value=256, default=1, help_text="That must be free then.")
    explain = serializers.BooleanField(default=False, help_text="Say what each term removes.")
    limit = serializers.IntegerField(min_value=1, max_value=LARGEST, default=DEFAULT)
    cursor = serializers.CharField(max_length=2000, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "starts_at" in attrs and "duration_s" not in attrs:
            raise serializers.ValidationError({"duration_s": ["Say for how long as well."]})
        if "starts_at" in attrs and attrs["starts_at"] < timezone.now() - timedelta(minutes=5):
            raise serializers.ValidationError({"starts_at": ["It is in the past."]})
        return attrs


class TermSerializer(StrictSerializer):
    """One condition."""

    field = serializers.CharField(max_length=60)
    op = serializers.CharField(max_length=10)
    value = serializers.JSONField(help_text="A number, text, boolean, or a list of them for in and notin.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "8 GB for less than 1 AIT an hour, most tokens for the money first",
            {
                "terms": [
                    {"field": "gpu_ram", "op": ">=", "value": 8},
                    {"field": "dph", "op": "<", "value": "1"},
                    {"field": "region", "op": "in", "value": ["eu", "us-east"]},
                ],
                "model": "Llama-3.1-8B",
                "order": "-tokens_per_credit",
                "duration_s": 7200,
            },
            request_only=True,
        )
    ]
)
class SearchSerializer(SearchQuerySerializer):
    """A search as JSON: the same, with terms beside the filter string."""

    terms = TermSerializer(many=True, required=False)


def read(query: dict[str, Any]) -> Search:
    """Return a validated query as a search. Raises FilterInvalid."""
    workload = fields.Workload(storage_gb=query["storage_gb"], model=_model(query["model"]))
    listed = [(one["field"], one["op"], one["value"]) for one in query.get("terms", ())]
    explicit = terms.read(query["filter"], listed, workload=workload)
    words = tuple(query["q"].lower().split())
    if len(words) > MOST_WORDS:
        raise FilterInvalid(f"{len(words)} words; at most {MOST_WORDS} are taken.", field="q")
    order = terms.read_order(query["order"], workload)
    return Search(terms.with_implied(explicit), order, workload, words, _window(query))


def _model(name: str) -> Any:
    if not name:
        return None
    try:
        return gpu.decode_model(name)
    except ValueError as error:
        raise FilterInvalid(f"{str(error)[:1].upper()}{str(error)[1:]}.", field="model") from None


def _window(query: dict[str, Any]) -> Window | None:
    if "duration_s" not in query:
        return None
    starts = max(query.get("starts_at") or timezone.now(), timezone.now())
    return Window(starts, starts + timedelta(seconds=query["duration_s"]), query["gpus"])


class FoundOfferSerializer(OfferSerializer):
    """An offer with what it is worth to this search."""

    total_hour = serializers.SerializerMethodField()
    tflops_per_credit = serializers.SerializerMethodField()
    bw_per_credit = serializers.SerializerMethodField()
    tokens_s = serializers.SerializerMethodField(help_text="Of the named model, one GPU, one sequence; predicted.")
    tokens_per_credit = serializers.SerializerMethodField()

    class Meta(OfferSerializer.Meta):
        fields = [
            *OfferSerializer.Meta.fields, "total_hour", "tflops_per_credit", "bw_per_credit", "tokens_s",
            "tokens_per_credit",
        ]  # fmt: skip
        read_only_fields = fields

    @property
    def workload(self) -> fields.Workload:
        workload: fields.Workload = self.context.get("workload") or fields.Workload()
        return workload

    @extend_schema_field(AmountField())
    def get_total_hour(self, offer: MarketplaceOffer) -> str:
        return AmountField().to_representation(fields.total_hour(offer, self.workload))

    def get_tflops_per_credit(self, offer: MarketplaceOffer) -> float | None:
        return fields.per_credit(offer.fp16_tflops, offer)

    def get_bw_per_credit(self, offer: MarketplaceOffer) -> float | None:
        return fields.per_credit(offer.bandwidth_gbps, offer)

    def get_tokens_s(self, offer: MarketplaceOffer) -> float | None:
        return fields.tokens_s(offer, self.workload)

    def get_tokens_per_credit(self, offer: MarketplaceOffer) -> float | None:
        return fields.tokens_per_credit(offer, self.workload)


class JudgementSerializer(serializers.Serializer[Any]):
    """One condition, and what it costs."""

    term = serializers.CharField()
    removes = serializers.IntegerField(help_text="Listed offers that do not satisfy it.")
    removes_alone = serializers.IntegerField(help_text="Offers that would be found without it.")
    relaxed = serializers.CharField(allow_null=True, help_text="The least change of it that finds one more offer.")


class ExplanationSerializer(serializers.Serializer[Any]):
    """Why the answer is what it is."""

    offers = serializers.IntegerField(help_text="Listed at all.")
    matches = serializers.IntegerField()
    terms = JudgementSerializer(many=True)
    cheapest = JudgementSerializer(allow_null=True, help_text="When nothing matches: the one term to relax.")
    fewest_in_the_way = serializers.IntegerField(
        allow_null=True, help_text="Terms that the nearest offer fails; over 1: no single change helps."
    )


class FoundSerializer(serializers.Serializer[Any]):
    """One page of offers, how the question was understood, and why there are not more."""

    items = FoundOfferSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send as cursor for the next page.")
    terms = serializers.ListField(child=serializers.CharField(), help_text="With those that are implied.")
    order = serializers.ListField(child=serializers.CharField())
    explain = ExplanationSerializer(required=False)


class FieldSerializer(serializers.Serializer[Any]):
    """A field that a search may name."""

    name = serializers.CharField()
    kind = serializers.CharField(help_text="number, amount, text or flag")
    unit = serializers.CharField()
    about = serializers.CharField()
    aliases = serializers.ListField(child=serializers.CharField())
    needs_model = serializers.BooleanField()


def described() -> list[dict[str, Any]]:
    return [
        {
            "name": one.name, "kind": one.kind.name.lower(), "unit": one.unit, "about": one.about,
            "aliases": list(one.aliases), "needs_model": one.needs_model,
        }
        for one in fields.TABLE
    ]  # fmt: skip


def explained(explanation: Explanation) -> dict[str, Any]:
    return dict(ExplanationSerializer(explanation).data)
