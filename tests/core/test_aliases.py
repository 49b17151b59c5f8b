"""Pseudonyms: stable under their own key, whatever happens to the other keys."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from aitbc.core.aliases import alias
from aitbc.settings.base import _secret

pytestmark = pytest.mark.no_db


def test_an_alias_survives_a_new_secret_key_and_differs_by_role_and_id(settings):
    owner = uuid4()
    before = alias("client", owner)
    settings.SECRET_KEY = "another"

    assert alias("client", owner) == before
    assert len({before, alias("provider", owner), alias("client", uuid4()), alias("client", owner, uuid4())}) == 4
    settings.ALIAS_KEY = "another"
    assert alias("client", owner) != before


def test_a_secret_is_made_once_for_all_who_start_together_and_is_nobody_elses(tmp_path):
    path = tmp_path / "keys" / "alias.key"

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: _secret("AITBC_NOT_SET", path), range(8)))

    assert made == {path.read_text()} and len(path.read_text()) > 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["alias.key"]


def test_the_environment_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("AITBC_FOR_THIS_TEST", "from the environment")

    assert _secret("AITBC_FOR_THIS_TEST", tmp_path / "none") == "from the environment"
    assert not (tmp_path / "none").exists()
