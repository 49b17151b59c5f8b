"""The attacker: everything that is public, and everything about the owners that one of them may know, lead nowhere.

Public operations are found in the schema and read without a key, after the probes of all domains have left their
traces. What is looked for: an owner's id or key in a page, and a way to compute a pseudonym from an id.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import re
import uuid
from collections.abc import Iterable, Iterator

from apps.gpu.models import Miner
from apps.trading.models import Block, Bond, LedgerAccount, Receipt, Transfer
from apps.trading.services import ledger
from apps.trading.states import AccountKind
from tests.architecture.probes import Life, Probe, parts
from tests.contract import by_route, operations, route_of, simplified

#: Below these a provider is shown by its id, which is its name in the market.
MARKET = ("/marketplace/", "/gpu/v1/marketplace/", "/gpu/v1/transactions")
TOKEN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{12,64}")
ROLES = ("client", "provider", "miner", "bidder", "renter", "owner", "user", "account", "alias", "rater", "")
PURPOSES = (
    *("hold", "capture", "payout", "fee", "release", "fund", "accrue", "refund"),
    *("bond", "unbond", "forfeit", "compensate"),
)
SEPARATORS = (":", "|", "\n", "_", "-", "/", "")
SPACES = (
    ledger.NAMESPACE,
    uuid.NAMESPACE_DNS,
    uuid.NAMESPACE_OID,
    uuid.NAMESPACE_URL,
    uuid.NAMESPACE_X500,
    uuid.UUID(int=0),
)


def public_operations() -> set[str]:
    return {one["operationId"] for _, _, one in operations() if one.get("security") == [{}]}


def public_pages(life: Life) -> tuple[dict[str, str], set[str]]:
    """Every public page by its path, as somebody without a key reads it, and the operations that were read."""
    pages: dict[str, str] = {}
    read: set[str] = set()
    open_to_all = public_operations()
    lists = ["/trading/v1/receipts?limit=200", "/marketplace/v1/marketplace/reviews", "/gpu/status", "/ai/health"]
    lists += [f"/trading/v1/blocks/{height}/entries?limit=200" for height in range(Block.objects.count())]
    probes = [probe for found in parts("PROBES") for probe in found]
    for probe in [*probes, *(Probe("anonymous", "GET", path) for path in lists)]:
        body = life.filled(probe.body)
        path = life.filled(probe.path)
        answer = life.anonymous.request(probe.method, path, body.encode() if isinstance(body, str) else body)
        _, operation = by_route().get((probe.method, simplified(route_of(answer))), ("", {"operationId": ""}))
        if operation["operationId"] in open_to_all:
            read.add(operation["operationId"])
        text = b"".join(answer.streaming_content) if answer.streaming else answer.content
        pages[f"{probe.method} {path}"] = text.decode(errors="replace")
    return pages, read


def test_no_public_page_names_an_owner_or_its_key(life):
    pages, read = public_pages(life)
    unread = {name for name in public_operations() - read if not name.endswith(("_health_live", "_ready"))}
    assert unread <= {"aitbc_services", "aitbc_well_known_aitbc_keys_keys"}

    everywhere = {api.prefix for api in (life.client, life.miner, life.operator)} | {str(life.client.owner_id)}
    outside_the_market = {str(life.miner.owner_id), *(str(pk) for pk in Miner.objects.values_list("pk", flat=True))}

    found = [f"{path}: {name}" for path, text in pages.items() for name in everywhere if name in text]
    found += [
        f"{path}: {name}"
        for path, text in pages.items()
        for name in outside_the_market
        if name in text and not path.split()[1].startswith(MARKET)
    ]
    assert found == []


def test_no_pseudonym_can_be_computed_from_what_an_owner_knows(life):
    """But for the ids of transfers, which are made from a job's or booking's id on purpose (docs/ledger.md)."""
    pages, _ = public_pages(life)
    shown = {token for text in pages.values() for token in TOKEN.findall(text)}
    accounts = {str(pk) for pk in LedgerAccount.objects.values_list("pk", flat=True)}
    aliases = {row.body[name].partition("_")[2] for row in Receipt.objects.all() for name in ("client", "provider")}
    assert accounts & shown and aliases & shown  # there is something to be found

    known = [*(str(api.owner_id) for api in (life.client, life.miner, life.operator)), life.client.prefix]
    known += [str(pk) for pk in Miner.objects.values_list("pk", flat=True)]
    known += [value for value in life.things.values() if isinstance(value, str) and TOKEN.fullmatch(value)]
    transfers = {str(pk) for pair in Transfer.objects.values_list("pk", "group_id") for pk in pair}
    unknown, lengths = (shown | accounts | aliases) - transfers - set(known), {len(token) for token in shown}
    digests = {digest for text in spellings(known) if text for digest in digests_of(text)}

    assert unknown & {digest[:length] for digest in digests for length in lengths} == set()
    assert unknown & uuids_of(known) == set()


def test_nothing_that_the_market_shows_is_named_in_the_ledger(life):
    """An award leads from a bid to an offer and its provider: the ledger may not lead from a bid to an account."""
    pages, _ = public_pages(life)
    of_the_market = [text for path, text in pages.items() if path.split()[1].startswith(MARKET)]
    shown = {token for text in of_the_market for token in TOKEN.findall(text)}
    named = {str(name) for names in Transfer.objects.values_list("pk", "group_id", "ref") for name in names if name}
    made = {str(ledger.name(f"{purpose}:{token}")) for token in shown for purpose in PURPOSES}

    assert Bond.objects.exists() and shown
    assert named & (shown | made) == set()


def spellings(known: Iterable[str]) -> Iterator[bytes]:
    """The ids in every obvious spelling, alone, with a role, and in pairs."""
    names = list(dict.fromkeys(known))
    pairs = [f"{a}{separator}{b}" for a, b in itertools.permutations(names, 2) for separator in (":", "\n")]
    roles = [*ROLES, *AccountKind.values]
    for name in names:
        yield name.encode()
        yield name.replace("-", "").encode()
        yield bytes.fromhex(name.replace("-", "")) if re.fullmatch(r"[0-9a-f-]{32,36}", name) else b""
        for role, separator in itertools.product(roles, SEPARATORS):
            yield f"{role}{separator}{name}".encode()
            yield f"{name}{separator}{role}".encode()
            yield f"{name}{separator}{role}{separator}0".encode()
    yield from (pair.encode() for pair in pairs)


def digests_of(text: bytes) -> Iterator[str]:
    for algorithm in ("sha256", "sha1", "md5", "blake2b"):
        yield hashlib.new(algorithm, text).hexdigest()
    for key in (b"", b"aitbc", b"aitbc.trading.alias"):
        yield hmac.new(key, text, hashlib.sha256).hexdigest()


def uuids_of(known: Iterable[str]) -> set[str]:
    """UUIDs of versions 3 and 5 of the ids, under the usual namespaces and the ledger's own."""
    names = list(dict.fromkeys(known))
    keys = [*names, *(f"{name}:{kind}:{shard}" for name in names for kind in AccountKind.values for shard in range(2))]
    keys += [f"{kind}:{name}" for name in names for kind in AccountKind.values]
    return {str(make(space, key)) for make in (uuid.uuid3, uuid.uuid5) for space in SPACES for key in keys}
