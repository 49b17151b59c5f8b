"""The ledger over HTTP: owners see their own accounts, operators every transfer."""

from __future__ import annotations

from apps.trading.models import Transfer
from apps.trading.services import deposits
from tests.clients import Api
from tests.trading.factories import funded

LEDGER = "/trading/v1/ledger"


def test_an_owner_sees_what_it_has(client_api: Api) -> None:
    nothing = client_api.json("GET", f"{LEDGER}/balance", status=200)
    deposits.deposit(owner_id=client_api.owner_id, amount=420_000, reason="test", actor="operator:test")

    something = client_api.json("GET", f"{LEDGER}/balance", status=200)

    assert (nothing["available"], something["available"]) == ("0.000000", "0.420000")
    assert something == {
        "owner_id": str(client_api.owner_id), "currency": "AIT",
        "available": "0.420000", "held": "0.000000", "total": "0.420000",
    }  # fmt: skip


def test_an_owner_reads_its_entries_page_by_page(client_api: Api) -> None:
    for amount in (1, 2, 3):
        deposits.deposit(owner_id=client_api.owner_id, amount=amount, reason=f"no. {amount}", actor="operator:test")
    [account] = client_api.json("GET", f"{LEDGER}/accounts", status=200)["items"]
    entries = f"{LEDGER}/accounts/{account['id']}/entries"

    first = client_api.json("GET", f"{entries}?limit=2", status=200)
    second = client_api.json("GET", f"{entries}?limit=2&cursor={first['next']}", status=200)

    assert [entry["reason"] for entry in first["items"] + second["items"]] == ["no. 3", "no. 2", "no. 1"]
    assert {entry["side"] for entry in first["items"]} == {"credit"}
    assert second["next"] is None
    assert account["balance"] == "0.000006"


def test_an_account_of_somebody_else_does_not_exist(client_api: Api, other_client_api: Api, operator_api: Api) -> None:
    deposits.deposit(owner_id=client_api.owner_id, amount=1, reason="test", actor="operator:test")
    [account] = client_api.json("GET", f"{LEDGER}/accounts", status=200)["items"]
    path = f"{LEDGER}/accounts/{account['id']}"

    assert other_client_api.get(path).status_code == 404
    assert other_client_api.get(f"{path}/entries").status_code == 404
    assert other_client_api.json("GET", f"{LEDGER}/accounts?owner_id={client_api.owner_id}")["items"] == []
    assert operator_api.json("GET", path, status=200)["owner_id"] == str(client_api.owner_id)


def test_an_operator_finds_transfers(operator_api: Api) -> None:
    funded(5)
    made = Transfer.objects.get()

    found = operator_api.json("GET", f"{LEDGER}/transfers?code=deposit", status=200)["items"]

    assert [one["id"] for one in found] == [str(made.pk)]
    assert operator_api.json("GET", f"{LEDGER}/transfers?code=fee", status=200)["items"] == []
    assert operator_api.json("GET", f"{LEDGER}/transfers/{made.pk}", status=200)["leaf"] == made.leaf
    for bad in ("code=gift", "ref=me", "colour=red", "limit=0", "cursor=x"):
        assert operator_api.get(f"{LEDGER}/transfers?{bad}").status_code == 400
