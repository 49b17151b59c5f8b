"""The routes of trading for the placeholder detector."""

from __future__ import annotations

from apps.trading.services import log
from tests.architecture.probes import Life, Probe
from tests.owners import operator
from tests.trading.factories import logged
from tests.trading.reversing import BIG, deposited, propose
from tests.trading.withdrawing import decide, withdrawal

T = "/trading"
DEPOSIT = {"owner_id": "{owner}", "amount": "{number}.5", "reason": "a gift"}
REVERSAL = {"transfer_id": "{mistake}", "reason": "credited twice"}
KEYED = {"idempotency_key": "deposit-{number}"}


def live(life: Life) -> None:
    """The traces that the job of this life left: receipt, entry, block, account, transfers."""
    receipt = life.client.json("GET", f"/ai/jobs/{life.things['job']}/receipt", status=200)
    entry = life.anonymous.json("GET", f"{T}/transactions/{receipt['tx_hash']}", status=200)
    account = life.client.json("GET", f"{T}/v1/ledger/accounts?kind=available", status=200)["items"][0]
    transfer = life.operator.json("GET", f"{T}/v1/ledger/transfers?ref={life.things['job']}", status=200)["items"][0]
    bundle = life.anonymous.json("GET", f"{T}/receipts/{receipt['receipt_id']}/bundle", status=200)
    if life.number == 2:
        bundle["receipt"]["price"] = "99.000000"
    life.things |= {
        "receipt": receipt["receipt_id"], "tx": receipt["tx_hash"], "index": entry["index"], "block": entry["block"],
        "account": account["id"], "transfer": transfer["id"], "owner": str(life.client.owner_id), "bundle": bundle,
    }  # fmt: skip
    deposit(life)
    withdraw(life)


def grow(life: Life) -> None:
    """One more block, larger each time."""
    logged(life.number)
    log.seal()


def deposit(life: Life) -> None:
    """Two deposits to reverse, of which one takes two operators; their size is this life's."""
    life.things["mistake"] = str(deposited(1_000 * life.number).pk)
    life.things["proposal"] = str(propose(deposited(BIG * life.number), operator("proposer")).pk)


def withdraw(life: Life) -> None:
    """A withdrawal of the client, and one that is approved; their size is this life's."""
    life.things["withdrawal"] = str(withdrawal(1_000 * life.number, life.client.owner_id).pk)
    approved = withdrawal(2_000 * life.number)
    decide(life.operator, approved, "approve")
    life.things["approved"] = str(approved.pk)


PROBES = [
    Probe("client", "GET", f"{T}/v1/ledger/balance"),
    Probe("client", "GET", f"{T}/v1/ledger/accounts"),
    Probe("client", "GET", f"{T}/v1/ledger/accounts/{{account}}"),
    Probe("client", "GET", f"{T}/v1/ledger/accounts/{{account}}/entries"),
    Probe("operator", "GET", f"{T}/v1/ledger/transfers?ref={{job}}"),
    Probe("operator", "GET", f"{T}/v1/ledger/transfers/{{transfer}}"),
    Probe("operator", "POST", f"{T}/v1/deposits", DEPOSIT, KEYED),
    Probe("operator", "GET", f"{T}/v1/deposits?limit={{number}}"),
    Probe("operator", "POST", f"{T}/v1/reversals", REVERSAL, KEYED),
    Probe("operator", "GET", f"{T}/v1/reversals?limit={{number}}"),
    Probe("operator", "GET", f"{T}/v1/reversals/{{proposal}}"),
    Probe("operator", "POST", f"{T}/v1/reversals/{{proposal}}/approve"),
    Probe("operator", "POST", f"{T}/v1/reversals/{{proposal}}/reject", {"reason": "he owes it"}, before=deposit),
    Probe("client", "POST", f"{T}/v1/withdrawals", {"amount": "0.00{number}", "destination": "bank {number}"}, KEYED),
    Probe("client", "GET", f"{T}/v1/withdrawals?state=requested"),
    Probe("client", "GET", f"{T}/v1/withdrawals/{{withdrawal}}"),
    Probe("client", "POST", f"{T}/v1/withdrawals/{{withdrawal}}/cancel"),
    Probe("operator", "POST", f"{T}/v1/withdrawals/{{withdrawal}}/approve", before=withdraw),
    Probe("operator", "POST", f"{T}/v1/withdrawals/{{withdrawal}}/reject", {"reason": "unknown bank"}),
    Probe("operator", "POST", f"{T}/v1/withdrawals/{{approved}}/pay", {"external_reference": "transfer {number}"}),
    *(
        Probe("anonymous", "GET", f"{T}/{path}")
        for path in (
            "blocks?offset={number}", "v1/explorer/blocks?offset={number}", "api/v1/blocks?offset={number}",
            "blocks/{block}", "v1/blocks/{block}", "v1/blocks/{block}/entries", "v1/blocks?before={number}",
            "receipts?job_id={job}", "v1/explorer/receipts?job_id={job}", "v1/receipts?job={job}",
            "receipts/{receipt}", "v1/receipts/{receipt}", "receipts/{receipt}/bundle", "v1/receipts/{receipt}/bundle",
            "transactions/{tx}", "v1/transactions/{tx}", "explorer/transactions/{tx}",
            "v1/log/proof/inclusion?index={index}", "v1/log/proof/consistency?first={index}",
        )
    ),
    Probe("anonymous", "POST", f"{T}/v1/log/verify", "{bundle}"),
    Probe("anonymous", "GET", f"{T}/v1/log/checkpoint", before=grow),
    Probe("anonymous", "GET", f"{T}/v1/stats", before=grow),
    Probe("anonymous", "GET", f"{T}/v1/log/publicKey", constant="the keys change with a rotation only"),
    Probe("operator", "GET", "/metrics"),
]  # fmt: skip
