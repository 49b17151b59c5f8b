"""A row that cannot be shown takes no list down: it is left out, and the log names it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from rest_framework import serializers

from aitbc.accounts.models import AuditEntry
from aitbc.core.renderers import FastJSONRenderer
from aitbc.core.serializers import ResourceSerializer
from apps.trading.models import LogEntry
from apps.trading.services import log
from tests.sabotage import sabotage


class Half(serializers.Field[Any, Any, str, Any]):
    """Fails for one row."""

    def to_representation(self, value: str) -> str:
        if value == "odd":
            raise ValueError("nobody expected this")
        return value


class EntrySerializer(ResourceSerializer):
    action = Half()

    class Meta:
        model = AuditEntry
        fields = ("action",)


def test_a_list_of_models_leaves_out_the_row_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    rows = [AuditEntry(action=name) for name in ("one", "odd", "two")]

    assert EntrySerializer(rows, many=True).data == [{"action": "one"}, {"action": "two"}]
    assert f"AuditEntry {rows[1].pk}" in caplog.text


@pytest.mark.parametrize("wrap", [lambda items: {"items": items, "next": None}, lambda items: items])
def test_a_list_leaves_out_the_item_that_json_cannot_say(wrap: Any) -> None:
    body = FastJSONRenderer().render(wrap([{"n": 1}, {"n": 2**70}, {"n": 3}]))

    assert orjson.loads(body) == wrap([{"n": 1}, {"n": 3}])


def test_a_damaged_entry_of_the_log_is_left_out_of_the_public_list(client_api: Any) -> None:
    log.append("test.fact", [{"n": n} for n in range(3)])
    (block,) = log.seal()
    damaged = LogEntry.objects.order_by("idx")[1]
    sabotage(LogEntry, f"UPDATE trading_logentry SET leaf = 'not json' WHERE id = '{damaged.pk}'")

    answer = client_api.get(f"/trading/v1/blocks/{block.height}/entries")

    assert answer.status_code == 200, answer.content
    assert len(answer.json()["items"]) == LogEntry.objects.filter(idx__isnull=False).count() - 1
