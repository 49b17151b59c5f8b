"""The blob store: addressed by content, durable, bounded, collected only when nobody needs it."""

import hashlib
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from aitbc.core import blobs


@pytest.fixture
def folder(tmp_path, settings):
    place = tmp_path / "blobs"
    local = {"BACKEND": "aitbc.core.blobs.LocalBlobStorage", "OPTIONS": {"location": str(place)}}
    settings.STORAGES = {**settings.STORAGES, "blobs": local}
    return place


def path_of(folder, sha256):
    return Path(folder) / sha256[:2] / sha256


def age(folder, sha256, hours):
    path = path_of(folder, sha256)
    then = path.stat().st_mtime - hours * 3600
    os.utime(path, (then, then))


def test_a_blob_is_named_by_its_bytes_and_read_back_whole(folder):
    body = os.urandom(300_000)

    stored = blobs.put([body[:1000], body[1000:]], limit=1 << 20)

    assert stored.sha256 == hashlib.sha256(body).hexdigest()
    assert stored.size == 300_000
    assert blobs.read(stored.sha256) == body
    assert b"".join(blobs.chunks_of(blobs.open(stored.sha256))) == body
    assert blobs.intact(stored.sha256)


def test_equal_bytes_are_stored_once(folder):
    first = blobs.put([b"same"], limit=10)
    second = blobs.put([b"sa", b"me"], limit=10)

    assert first == second
    assert len([p for p in Path(folder).rglob("*") if p.is_file()]) == 1


def test_too_large_a_body_is_refused_early_and_leaves_nothing(folder):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield b"x" * 1000

    with pytest.raises(blobs.BlobTooLarge):
        blobs.put(endless(), limit=5000)

    assert len(taken) == 6
    assert not [p for p in Path(folder).rglob("*") if p.is_file()]


def test_a_torn_upload_leaves_nothing(folder):
    def torn():
        yield b"half"
        raise ConnectionError("the client is gone")

    with pytest.raises(ConnectionError):
        blobs.put(torn(), limit=100)

    assert not [p for p in Path(folder).rglob("*") if p.is_file()]


def test_an_empty_body_is_a_blob_too(folder):
    assert blobs.read(blobs.put([], limit=0).sha256) == b""


@pytest.mark.parametrize("address", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_a_wrong_address_is_absent_not_a_path(folder, address):
    assert not blobs.exists(address)
    with pytest.raises(blobs.BlobNotFound):
        blobs.open(address)


def test_an_absent_blob_is_not_found(folder):
    with pytest.raises(blobs.BlobNotFound):
        blobs.read("0" * 64)
    blobs.delete("0" * 64)


def test_damage_on_disk_is_noticed(folder):
    stored = blobs.put([b"good"], limit=10)

    path_of(folder, stored.sha256).write_bytes(b"evil")

    assert not blobs.intact(stored.sha256)


def test_many_threads_putting_the_same_bytes_agree(folder):
    seen, errors = set(), []

    def one():
        try:
            seen.add(blobs.put([b"z" * 100_000], limit=1 << 20))
        except Exception as error:  # noqa: BLE001  the test looks at what was raised
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not errors
    assert len(seen) == 1
    assert blobs.intact(seen.pop().sha256)


def test_the_collector_takes_only_what_is_old_and_unnamed(folder, monkeypatch):
    named, orphan, young = (blobs.put([body], limit=10).sha256 for body in (b"named", b"orphan", b"young"))
    age(folder, named, 48)
    age(folder, orphan, 48)
    monkeypatch.setattr(blobs, "_keepers", [lambda addresses: {named} & set(addresses)])

    assert blobs.collect(grace=timedelta(hours=24), batch=1) == 1

    assert blobs.exists(named)
    assert blobs.exists(young)
    assert not blobs.exists(orphan)


def test_putting_an_old_blob_again_saves_it_from_the_collector(folder, monkeypatch):
    monkeypatch.setattr(blobs, "_keepers", [])
    sha256 = blobs.put([b"again"], limit=10).sha256
    age(folder, sha256, 48)

    blobs.put([b"again"], limit=10)

    assert blobs.collect() == 0
    assert blobs.exists(sha256)


def test_another_django_storage_can_hold_the_blobs(folder, settings):
    settings.STORAGES = {**settings.STORAGES, "blobs": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}

    sha256 = blobs.put([b"elsewhere"], limit=100).sha256

    assert blobs.read(sha256) == b"elsewhere"
    assert not Path(folder).exists()
    blobs.delete(sha256)
    assert not blobs.exists(sha256)
