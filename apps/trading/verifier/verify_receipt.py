"""Check a receipt of an AITBC exchange offline, from its bundle alone.

    python verify_receipt.py bundle.json [--keys keys.json]

The bundle is what GET /trading/receipts/{id}/bundle answers. keys.json is the exchange's /.well-known/aitbc-keys.json,
best fetched at another time or another way; without it the keys inside the bundle are trusted, and the output says so.
Exit status 0: every check passed. 1: rejected, with the reason. 2: it cannot be checked, because the file is not there,
or holds an error of the exchange instead of a bundle, or because `cryptography` is not installed.

This file needs Python 3.11 and the package `cryptography`, and nothing of the exchange that made the receipt.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    print("NOT CHECKED: the package cryptography is missing: python3 -m pip install cryptography", file=sys.stderr)
    sys.exit(2)

BUNDLE = {"v", "receipt", "signature", "entry", "index", "inclusion", "checkpoint", "block", "previous", "keys"}
BLOCK = {"header", "signature", "inclusion"}
HEADER = {
    *("v", "chain", "height", "prev", "time", "first", "count"),
    *("batch_root", "tree_size", "tree_root", "state", "anchor"),
}
KEY = {"alg", "key_id", "public_key", "not_before", "not_after", "sig"}
SIGNATURE = {"alg", "key_id", "sig"}
OPENING = {"salt", "payload_sha256", "artifacts", "result_sha256"}
RECEIPT_TAG, SLICE_TAG = "aitbc.receipt.v1", "aitbc.slice-receipt.v1"
BLOCK_TAG, KEY_TAG = "aitbc.block.v1", "aitbc.key.v1"
INPUT_TAG, OUTPUT_TAG = "aitbc.input.v1", "aitbc.output.v1"
HEX = re.compile(r"[0-9a-f]{64}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
#: A JSON escape with capital hex digits, which no encoder writes: the document was edited.
CAPITAL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u[0-9a-fA-F]*[A-F]")
LARGEST = 2**53 - 1
MS_PER_HOUR = 3_600_000


class Rejected(Exception):
    """The bundle does not prove what it claims."""


class Unreadable(Exception):
    """There is no bundle to check."""


def require(condition: object, otherwise: str) -> None:
    if not condition:
        raise Rejected(otherwise)


# --- reading ---------------------------------------------------------------------------------------------------------


def parse(text: str) -> Any:
    """Read JSON strictly: no repeated names, no fractions, no other spellings than an encoder's. Raises Rejected."""
    require(not CAPITAL_ESCAPE.search(text), "an escape is not written as encoders write it")
    try:
        return json.loads(text, object_pairs_hook=once, parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"not readable as JSON: {error}") from None


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    require(len(found) == len(pairs), "a name occurs twice in one object")
    return found


def refuse(text: str) -> None:
    raise Rejected(f"{text} is not a whole number")


def canonical(value: Any) -> bytes:
    """Canonical JSON (RFC 8785) of strings, whole numbers, true, false, null, lists and objects: all that is signed."""
    try:
        return written(value).encode("utf-8")
    except (UnicodeEncodeError, RecursionError):
        raise Rejected("a part cannot be written as canonical JSON") from None


def written(value: Any) -> str:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{written(name)}:{written(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    if isinstance(value, int) and not isinstance(value, bool):
        require(abs(value) <= LARGEST, "a number is too large to be exact")
    return json.dumps(value, ensure_ascii=False)


def shaped(value: Any, names: set[str], what: str) -> dict[str, Any]:
    require(isinstance(value, dict), f"{what} is not an object")
    require(set(value) == names, f"{what} does not have exactly the members {', '.join(sorted(names))}")
    return dict(value)


def count(value: Any, what: str) -> int:
    require(isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST, f"{what} is not a count")
    return int(value)


def hash_of(value: Any, what: str) -> bytes:
    require(isinstance(value, str) and HEX.fullmatch(value), f"{what} is not 64 lower-case hex digits")
    return bytes.fromhex(value)


def decoded(value: Any, encode: Callable[[bytes], bytes], what: str) -> bytes:
    """Decode base64, accepted only as an encoder writes it: spare bits are zero, no character is skipped."""
    require(isinstance(value, str) and value.isascii(), f"{what} is not base64")
    plain = value.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        raise Rejected(f"{what} is not base64") from None
    require(encode(data).decode() == value, f"{what} is not base64 as encoders write it")
    return data


def url64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def moment(value: Any, what: str) -> datetime:
    require(isinstance(value, str) and MOMENT.fullmatch(value), f"{what} is not a UTC time")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise Rejected(f"{what} is not a UTC time") from None


def micro(value: Any, what: str) -> int:
    require(isinstance(value, str) and re.fullmatch(r"\d+\.\d{6}", value, re.ASCII), f"{what} is not an amount")
    return int(value.replace(".", ""))


# --- signatures and trees --------------------------------------------------------------------------------------------


def signed(public: bytes, signature: bytes, message: bytes, what: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Rejected(f"the signature of {what} is wrong") from None


def tagged(tag: str, body: Any) -> bytes:
    return tag.encode() + b"\n" + canonical(body)


def key_of(entry: Any) -> dict[str, Any]:
    """A published key: its id is a hash of it and it signs its own validity window, so neither can be changed."""
    key = shaped(entry, KEY, "a key")
    require(key["alg"] == "Ed25519", "a key is not an Ed25519 key")
    public = decoded(key["public_key"], url64, "a public key")
    require(hashlib.sha256(public).hexdigest()[:32] == key["key_id"], "a key does not have the name it claims")
    body = {name: value for name, value in key.items() if name != "sig"}
    signed(public, decoded(key["sig"], url64, "a key's signature"), tagged(KEY_TAG, body), f"key {key['key_id']}")
    since = moment(key["not_before"], "not_before")
    until = None if key["not_after"] is None else moment(key["not_after"], "not_after")
    return {"public": public, "since": since, "until": until}


def keys_of(document: Any) -> dict[str, dict[str, Any]]:
    require(isinstance(document, list) and document, "there are no keys")
    found = [(key_of(entry), entry["key_id"]) for entry in document]
    keys = {key_id: key for key, key_id in found}
    require(len(keys) == len(document), "a key is listed twice")
    return keys


def signed_by(keys: dict[str, dict[str, Any]], signature: Any, tag: str, body: Any, at: datetime, what: str) -> bytes:
    """Check the signature of a document and that its key was valid then; returns the public key. Raises Rejected."""
    parts = shaped(signature, SIGNATURE, f"the signature of {what}")
    require(parts["alg"] == "Ed25519", f"the signature of {what} is of an unknown kind")
    key = keys.get(parts["key_id"]) if isinstance(parts["key_id"], str) else None
    if key is None:
        raise Rejected(f"{what} is signed by a key that is not among those believed")
    signed(key["public"], decoded(parts["sig"], url64, f"the signature of {what}"), tagged(tag, body), what)
    require(key["since"] <= at and (key["until"] is None or at < key["until"]), f"the key of {what} was not valid then")
    return bytes(key["public"])


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def included(leaf: bytes, index: int, size: int, proof: Any, root: Any, what: str) -> None:
    """RFC 9162, 2.1.3.2: the path leads from the leaf at this place to the root."""
    require(index < size, f"{what}: there is no such place")
    require(isinstance(proof, list), f"{what}: the proof is not a list")
    position, last, value = index, size - 1, leaf
    for step in proof:
        sibling = hash_of(step, f"a step of {what}")
        require(last, f"{what}: the proof is too long")
        if position % 2 or position == last:
            value = node(sibling, value)
            while position and not position % 2:
                position, last = position >> 1, last >> 1
        else:
            value = node(value, sibling)
        position, last = position >> 1, last >> 1
    require(last == 0 and value == hash_of(root, f"the root of {what}"), f"{what}: the path does not lead to the root")


# --- the checks ------------------------------------------------------------------------------------------------------


def check(bundle: Any, trusted: Any = None) -> list[str]:
    """Check everything in a bundle; returns a line per check. Raises Rejected.

    `trusted`: a keys document to trust instead of the keys in the bundle.
    """
    opened = isinstance(bundle, dict) and "opening" in bundle
    parts = shaped(bundle, BUNDLE | {"opening"} if opened else BUNDLE, "the bundle")
    require(parts["v"] == 1 and parts["v"] is not True, "this version of bundle is not known here")
    block = shaped(parts["block"], BLOCK, "the block")
    header = shaped(block["header"], HEADER, "the header")
    keys, trust_note = believed(parts, trusted)
    return [
        trust_note,
        check_receipt(parts["receipt"], parts["signature"], keys),
        check_price(parts["receipt"]),
        *([check_opening(parts["receipt"], parts["opening"])] if opened else []),
        check_entry(parts),
        check_header(header, block["signature"], keys),
        check_previous(header, parts["previous"]),
        check_place(parts, header, block["inclusion"]),
        check_checkpoint(parts["checkpoint"], header, keys[block["signature"]["key_id"]]["public"]),
    ]


def believed(parts: dict[str, Any], trusted: Any) -> tuple[dict[str, dict[str, Any]], str]:
    own = keys_of(parts["keys"])
    if trusted is None:
        return own, f"keys: believed because the bundle says so (give --keys to do better): {', '.join(sorted(own))}"
    document = shaped(trusted, {"v", "keys"}, "the keys document")
    keys = keys_of(document["keys"])
    strange = sorted(set(own) - set(keys))
    require(not strange, f"the bundle uses keys that are not in the keys document: {', '.join(strange)}")
    return keys, f"keys: {', '.join(sorted(own))} found in the keys document"


def check_receipt(receipt: Any, signature: Any, keys: dict[str, dict[str, Any]]) -> str:
    require(isinstance(receipt, dict) and receipt.get("v") == 1, "this version of receipt is not known here")
    issued = moment(receipt.get("issued"), "issued")
    signed_by(keys, signature, SLICE_TAG if of_slice(receipt) else RECEIPT_TAG, receipt, issued, "the receipt")
    subject = f"slice {receipt['slice']} of booking {receipt['booking']}" if of_slice(receipt) else receipt.get("job")
    return f"receipt: {receipt.get('receipt_id')} for {subject}, signed {receipt['issued']}"


def of_slice(receipt: dict[str, Any]) -> bool:
    """Whether the receipt is of a slice of a booking; else it is of a job."""
    return "booking" in receipt and "slice" in receipt


def check_price(receipt: dict[str, Any]) -> str:
    """The client paid no more than the agreed rate for the metered time, and the fee came out of that.

    A slice is at most the booking's total so far.
    """
    if of_slice(receipt):
        price, fee, total = (micro(receipt.get(name), name) for name in ("price", "fee", "total"))
        require(fee <= price <= total, "the fee is higher than the price, or the price higher than the total")
        return f"price: {receipt['price']} {receipt.get('currency')}, {receipt['total']} in all so far"
    rate, price, fee = (micro(receipt.get(name), name) for name in ("rate", "price", "fee"))
    metered = count(receipt.get("metered_ms"), "metered_ms")
    require(price <= rate * metered // MS_PER_HOUR, "the price is higher than the agreed rate for the metered time")
    require(fee <= price, "the fee is higher than the price")
    return f"price: {receipt['price']} {receipt.get('currency')} for {metered} ms at {receipt['rate']} an hour"


def check_opening(receipt: dict[str, Any], opening: Any) -> str:
    """The salt and these hashes of payload, artifacts and result are what the receipt committed to."""
    parts = shaped(opening, OPENING, "the opening")
    salt, result, artifacts = hash_of(parts["salt"], "the salt"), parts["result_sha256"], parts["artifacts"]
    require(isinstance(artifacts, list), "the artifacts are not a list")
    for value in [parts["payload_sha256"], *artifacts, *([result] if result != "" else [])]:
        hash_of(value, "a hash of the opening")
    made = commitment(INPUT_TAG, salt, {"payload": parts["payload_sha256"], "artifacts": artifacts})
    require(receipt.get("input_hash") == made, "the opening is not that of the input")
    made = commitment(OUTPUT_TAG, salt, {"result": result}) if result else ""
    require(receipt.get("output_hash") == made, "the opening is not that of the output")
    return f"opening: payload {parts['payload_sha256']}, {len(artifacts)} artifacts, result {result or 'none'}"


def commitment(tag: str, salt: bytes, committed: dict[str, Any]) -> str:
    return hashlib.sha256(tag.encode() + b"\n" + salt + canonical(committed)).hexdigest()


def check_entry(parts: dict[str, Any]) -> str:
    body = {"receipt": parts["receipt"], "signature": parts["signature"]}
    leaf = decoded(parts["entry"], base64.b64encode, "the entry")
    kind = "receipt.slice" if of_slice(parts["receipt"]) else "receipt.job"
    require(leaf == canonical({"v": 1, "kind": kind, "body": body}), "the log's entry is not this receipt")
    return f"entry: the log holds exactly this receipt, as {hashlib.sha256(bytes(1) + leaf).hexdigest()}"


def check_header(header: dict[str, Any], signature: Any, keys: dict[str, dict[str, Any]]) -> str:
    require(header["v"] == 1, "this version of block is not known here")
    height = count(header["height"], "height")
    first, entries, size = (count(header[name], name) for name in ("first", "count", "tree_size"))
    require(first + entries == size, "the block's entries do not end where its tree ends")
    signed_by(keys, signature, BLOCK_TAG, header, moment(header["time"], "time"), "the block")
    return f"block: {height} of {header['chain']}, signed {header['time']}"


def check_previous(header: dict[str, Any], previous: Any) -> str:
    if header["height"] == 0:
        require(previous is None and header["prev"] == "0" * 64, "the first block names a block before it")
        return "chain: this is the first block"
    before = shaped(previous, HEADER, "the previous header")
    linked = hashlib.sha256(canonical(before)).digest() == hash_of(header["prev"], "prev")
    require(linked, "the previous header is not the one that the block names")
    expected = (before["height"] + 1, before["tree_size"], before["chain"])
    follows = expected == (header["height"], header["first"], header["chain"]) and before["time"] <= header["time"]
    require(follows, "the block does not follow on the previous one")
    return f"chain: follows block {before['height']}, {header['prev']}"


def check_place(parts: dict[str, Any], header: dict[str, Any], short: Any) -> str:
    index, first = count(parts["index"], "index"), header["first"]
    require(first <= index, "the entry is older than the block")
    leaf = hashlib.sha256(b"\x00" + base64.b64decode(parts["entry"])).digest()
    included(leaf, index, header["tree_size"], parts["inclusion"], header["tree_root"], "inclusion in the log")
    included(leaf, index - first, header["count"], short, header["batch_root"], "inclusion in the block")
    return f"place: entry {index} of {header['tree_size']}, proven in the log and in the block"


def check_checkpoint(note: Any, header: dict[str, Any], public: bytes) -> str:
    """The C2SP signed note states the same head: origin, size, root, signed over exactly that text."""
    require(isinstance(note, str), "the checkpoint is not a text")
    name = header["chain"]
    require(isinstance(name, str) and name and not re.search(r"[\s+]", name), "the log's name is not acceptable")
    root = base64.b64encode(hash_of(header["tree_root"], "tree_root")).decode()
    text, start = f"{name}\n{header['tree_size']}\n{root}\n", f"\n— {name} "
    require(note.startswith(text + start) and note.endswith("\n"), "the checkpoint does not say what the block says")
    data = decoded(note[len(text + start) : -1], base64.b64encode, "the checkpoint's signature")
    key_hash = hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    require(data[:4] == key_hash, "the checkpoint is signed by another key than the block")
    signed(public, data[4:], text.encode(), "the checkpoint")
    return f"checkpoint: size {header['tree_size']}, root {header['tree_root']}"


# --- the program -----------------------------------------------------------------------------------------------------


def read(path: str) -> Any:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            found = parse(file.read())
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from None
    if isinstance(found, dict) and {"status", "title", "detail"} <= found.keys():
        raise Unreadable(
            f"{path} is no bundle but an error of the exchange ({found['status']}): {found['detail']} Fetch it again."
        )
    return found


def run(path: str, keys: str | None, write: Callable[[str], object] = print) -> int:
    """Check the bundle in a file and write what was found; returns the exit status."""
    try:
        lines, status = [*(f"ok  {line}" for line in check(read(path), read(keys) if keys else None)), "VERIFIED"], 0
    except Unreadable as error:
        lines, status = [f"NOT CHECKED: {error}"], 2
    except Rejected as error:
        lines, status = [f"REJECTED: {error}"], 1
    for line in lines:  # what strangers wrote into the bundle must not steer the terminal
        write("".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line))
    return status


def main() -> int:
    parser = argparse.ArgumentParser(description="Check a receipt of an AITBC exchange offline.")
    parser.add_argument("bundle", help="what GET /trading/receipts/{id}/bundle answered, as a file")
    parser.add_argument("--keys", help="the exchange's /.well-known/aitbc-keys.json, as a file")
    options = parser.parse_args()
    return run(options.bundle, options.keys)


if __name__ == "__main__":
    sys.exit(main())
