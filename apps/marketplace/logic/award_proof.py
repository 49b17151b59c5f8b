"""The proof of an award: the auction's frozen inputs and its outcome, which anybody can compute again offline.

The proof is canonical JSON (RFC 8785) of strings and whole numbers; its SHA-256 and its Ed25519 signature go with it,
and it is part of a `market.award` leaf of the transparency log. Amounts are decimal strings of AIT per hour.
Pure: no database, no settings; `manage.py market verify-award` needs this file, auction.py and the core's arithmetic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aitbc.core import canonical
from aitbc.core.money import format_amount, parse_amount
from aitbc.core.signatures import ALG, KEY_TAG, key_id_of, message, unb64
from apps.marketplace.logic.auction import Bid, Outcome, Terms, Weights, clear

TAG = "aitbc.award.v1"
LEAF = "market.award"
VERSION = 1
#: How the winner was found: by the auction's rules, by the renter's choice, by a provider that took a standing demand
#: as it was, or by two standing orders that met.
AUCTION, CHOICE, ACCEPT, MATCH = "auction", "choice", "accept", "match"
MODES = (AUCTION, CHOICE, ACCEPT, MATCH)


class Rejected(Exception):
    """The proof does not prove what it claims."""


def outcome_of(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what these inputs lead to: winner, price, and all eligible bids in order of their scores.

    Raises Rejected when the inputs are not those of an auction, or the chosen bid is none that could be chosen.
    """
    try:
        terms = terms_of(inputs)
        eligible = [bid_of(bid) for bid in inputs["bids"] if not bid["refused"]]
        found = chosen(inputs, eligible, terms) if inputs["mode"] != AUCTION else clear(eligible, terms)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Rejected(f"the inputs are not those of an auction: {error!r}") from None
    return {
        "winner": found.winner.id if found.winner else None,
        "price": format_amount(found.price) if found.price is not None else None,
        "ranking": [{"bid": one.bid.id, "score": str(one.score)} for one in found.ranking],
    }


def terms_of(inputs: Mapping[str, Any]) -> Terms:
    """Return the auction's rules from a proof's inputs. Raises ValueError, KeyError, TypeError."""
    points, reserve = inputs["weights"], inputs["reserve"]
    if inputs["format"] not in ("pay_as_bid", "second_score") or inputs["mode"] not in MODES:
        raise ValueError("no such format, or no such way to find a winner")
    return Terms(
        budget=parse_amount(inputs["budget"]),
        weights=Weights(price=points["price"], quality=points["quality"], reliability=points["reliability"]),
        second_score=inputs["format"] == "second_score",
        reserve=None if reserve is None else parse_amount(reserve),
    )


def bid_of(bid: Mapping[str, Any]) -> Bid:
    """Return one bid of a proof's inputs for the auction's arithmetic."""
    return Bid(
        id=bid["id"], at=bid["at"], price=parse_amount(bid["price"]), quality=bid["quality"],
        reliability=bid["reliability"],
    )  # fmt: skip


def chosen(inputs: Mapping[str, Any], eligible: Sequence[Bid], terms: Terms) -> Outcome:
    """Return the outcome for a bid taken by hand: it is paid its own price; the others are ranked for comparison."""
    named = [bid for bid in eligible if bid.id == inputs["choice"]]
    if not named:
        raise ValueError("the chosen bid is not among the eligible ones")
    ranking = clear(eligible, terms).ranking
    first = next(one for one in ranking if one.bid == named[0])
    return Outcome(ranking=(first, *(one for one in ranking if one is not first)), price=named[0].price)


def proof_of(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the proof of an award with these inputs; bids in order of their ids, so that one auction has one proof."""
    ordered = {**inputs, "bids": sorted(inputs["bids"], key=lambda bid: str(bid["id"]))}
    return {"v": VERSION, "inputs": ordered, "outcome": outcome_of(ordered)}


def verify(document: Mapping[str, Any], keys: Mapping[str, Any] | None = None) -> Iterator[str]:
    """Yield what holds of {proof, digest, signature}, check by check; raises Rejected at the first that does not."""
    proof, inputs = document.get("proof"), (document.get("proof") or {}).get("inputs")
    named = isinstance(inputs, dict) and all(isinstance(inputs.get(name), str) for name in ("award", "demand"))
    if not isinstance(proof, dict) or not isinstance(inputs, dict) or not named or proof.get("v") != VERSION:
        raise Rejected("this is not an award's proof of a version known here")
    if digest_of(proof) != document.get("digest"):
        raise Rejected("the digest is not that of the proof")
    yield f"the digest is the proof's: {document['digest']}"
    yield from verified_bids(inputs)
    if outcome_of(inputs) != proof.get("outcome"):
        raise Rejected("computed again, the auction ends otherwise")
    yield f"computed again, bid {proof['outcome']['winner']} wins at {proof['outcome']['price']} AIT/h"
    if keys is not None:
        yield from verified_signature(proof, document.get("signature"), keys)
    yield f"its leaf in the log is {leaf_of(proof)}"


def verified_bids(inputs: Mapping[str, Any]) -> Iterator[str]:
    """Check that every bid is there once, in order, and those that count are within the budget. Raises Rejected."""
    try:
        ids = [bid["id"] for bid in inputs["bids"]]
        counted = [bid_of(bid) for bid in inputs["bids"] if not bid["refused"]]
        budget = parse_amount(inputs["budget"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Rejected(f"the bids cannot be read: {error!r}") from None
    if ids != sorted(set(ids)):
        raise Rejected("a bid is listed twice, or out of order")
    if any(not 0 < bid.price <= budget for bid in counted):
        raise Rejected("a bid that counts is not within the budget")
    yield f"{len(ids)} bids, {len(counted)} of them eligible"


def verified_signature(proof: Mapping[str, Any], signature: Any, keys: Mapping[str, Any]) -> Iterator[str]:
    """Check that a key of this list, valid when the auction was cleared, signed the proof. Raises Rejected."""
    try:
        at = datetime.fromisoformat(proof["inputs"]["cleared_at"])
        key = next((key for key in keys["keys"] if key["key_id"] == signature["key_id"]), None)
        if key is None:
            raise Rejected("it is signed by a key that is not published")
        public = unb64(key["public_key"])
        unsigned = {name: value for name, value in key.items() if name != "sig"}
        Ed25519PublicKey.from_public_bytes(public).verify(unb64(key["sig"]), message(KEY_TAG, unsigned))
        Ed25519PublicKey.from_public_bytes(public).verify(unb64(signature["sig"]), message(TAG, proof))
        current = datetime.fromisoformat(key["not_before"]) <= at
        ended = key["not_after"] is not None and datetime.fromisoformat(key["not_after"]) <= at
    except (KeyError, TypeError, ValueError, AttributeError, InvalidSignature) as error:
        raise Rejected(f"the signature does not hold: {error!r}") from None
    if key_id_of(public) != key["key_id"] or signature["alg"] != ALG or not current or ended:
        raise Rejected("the key is not the one it is called, or was not valid then")
    yield f"signed by key {key['key_id']}"


def digest_of(proof: Any) -> str:
    """Return the SHA-256 of the canonical proof (RFC 8785), in hex. Raises Rejected."""
    try:
        return canonical.digest(proof)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"the proof has no canonical form: {error}") from None


def body_of(award_id: str, proof: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of the leaf in the log."""
    return {"award": award_id, "demand": proof["inputs"]["demand"], "digest": digest_of(proof), "proof": dict(proof)}


def leaf_of(proof: Mapping[str, Any]) -> str:
    """Return the leaf's hash (RFC 9162: a zero byte before the canonical entry), as /trading/transactions/{hash} takes
    it."""
    entry = {"v": 1, "kind": LEAF, "body": body_of(str(proof["inputs"]["award"]), proof)}
    return hashlib.sha256(b"\x00" + canonical.encode(entry)).hexdigest()
