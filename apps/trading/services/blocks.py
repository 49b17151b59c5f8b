"""Building and signing blocks: the heads of the log, each linked to the previous one by hash (docs/receipts.md)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import F, Sum

from aitbc.core import canonical, params, signing
from aitbc.core.db import cursor
from aitbc.core.money import format_amount
from aitbc.core.signing import Key
from apps.trading.errors import LogDamaged
from apps.trading.logic import merkle
from apps.trading.models import Block, LedgerAccount
from apps.trading.services.merkle_store import TreeReader

TAG = "aitbc.block.v1"
KEY_TAG = "aitbc.key-rotation.v1"
GENESIS = "0" * 64
#: C2SP signed-note: the algorithm byte of Ed25519.
ED25519 = b"\x01"


def origin() -> str:
    """Return the log's name: the public address at the first block, unchanged afterwards."""
    named = Block.objects.filter(header__has_key="chain").order_by("-height").values_list("header__chain", flat=True)
    return named.first() or f"{urlsplit(settings.PUBLIC_URL).netloc}/trading"


def frontier_after(previous: Block | None) -> merkle.Frontier:
    """Return the tree's frontier, read from the tiles. Raises LogDamaged when the last block signed another root."""
    if previous is None:
        return merkle.Frontier()
    frontier = merkle.Frontier.at(previous.tree_size, TreeReader((0, previous.tree_size)))
    if frontier.root().hex() != previous.header["tree_root"]:
        raise LogDamaged(f"The stored tree no longer gives the root that block {previous.height} signed.")
    return frontier


def build(previous: Block | None, frontier: merkle.Frontier, leaves: Sequence[bytes]) -> Block:
    """Return the next block over these leaf hashes, signed but not saved; the frontier is advanced by them."""
    first = frontier.size
    for leaf in leaves:
        frontier.push(leaf)
    ledger, now = ledger_totals(), database_time(previous)
    key = signing.current()
    header: dict[str, Any] = {
        "v": 1,
        "chain": origin(),
        "height": previous.height + 1 if previous else 0,
        "prev": previous.hash if previous else GENESIS,
        "time": signing.stamp(now),
        "first": first,
        "count": len(leaves),
        "batch_root": merkle.root(leaves).hex(),
        "tree_size": frontier.size,
        "tree_root": frontier.root().hex(),
        "state": {"ledger_hash": canonical.digest(ledger), "param_version": param_version()},
        "anchor": None,
    }
    return Block(
        height=header["height"],
        hash=canonical.digest(header),
        first=first,
        count=len(leaves),
        tree_size=frontier.size,
        header=header,
        signature=key.sign(TAG, header),
        checkpoint=note(header, key),
        ledger=ledger,
        sealed_at=now,
    )


def database_time(previous: Block | None) -> datetime:
    """Return the database's clock, UTC to the millisecond, never before the previous block's time."""
    with cursor(Block) as sql:
        sql.execute("SELECT date_trunc('milliseconds', clock_timestamp())")
        now: datetime = sql.fetchone()[0].astimezone(UTC)
    return max(now, previous.sealed_at) if previous else now


def ledger_totals() -> dict[str, dict[str, str]]:
    """Return balance and held money of all accounts of each kind together, as decimal strings of AIT.

    Shown with the block, whose header carries its hash.
    """
    # Ordered by the grouping column: the model's default order would split the groups.
    sums = (
        LedgerAccount.objects.values_list("kind")
        .annotate(total=Sum(F("posted_credits") - F("posted_debits")), set_aside=Sum("pending_debits"))
        .order_by("kind")
    )
    return {
        kind: {"balance": format_amount(int(balance)), "held": format_amount(int(held))} for kind, balance, held in sums
    }


def param_version() -> str:
    """Return the hash of the governed parameters' present values."""
    return canonical.digest({key: str(params.number(key)) for key in params.REGISTRY})


def note(header: dict[str, Any], key: Key) -> str:
    """Return the head as a C2SP tlog-checkpoint: origin, size, root, and a signed-note signature by the block's key."""
    name = header["chain"]
    root = base64.b64encode(bytes.fromhex(header["tree_root"])).decode()
    text = f"{name}\n{header['tree_size']}\n{root}\n"
    signature = base64.b64encode(note_key_hash(name, key.public) + key.private.sign(text.encode())).decode()
    return f"{text}\n— {name} {signature}\n"


def note_key_hash(name: str, public: bytes) -> bytes:
    """Return the four bytes by which a signed note names its key (C2SP signed-note)."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def note_verifier(name: str, public: bytes) -> str:
    """Return the key as a C2SP verifier key: name+hash+base64(type ‖ key)."""
    return f"{name}+{note_key_hash(name, public).hex()}+{base64.b64encode(ED25519 + public).decode()}"


def rotation_since(previous: Block | None) -> dict[str, Any] | None:
    """Return the body that announces the present signing key, signed by both keys.

    None when that key signed the last block too.
    """
    key = signing.current()
    previous_key = signing.find(previous.signature["key_id"]) if previous else None
    if previous_key is None or previous_key.key_id == key.key_id:
        return None
    body = {"from": previous_key.published(), "to": key.published()}
    return {**body, "signatures": [previous_key.sign(KEY_TAG, body), key.sign(KEY_TAG, body)]}
