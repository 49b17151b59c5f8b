"""`manage.py verify`: the stand-alone verifier as a command."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command


def test_manage_verify_is_the_same_program(bundle, tmp_path, capsys):
    (tmp_path / "bundle.json").write_text(json.dumps(bundle))
    (tmp_path / "bent.json").write_text(json.dumps({**bundle, "v": 2}))

    call_command("verify", str(tmp_path / "bundle.json"))
    with pytest.raises(SystemExit) as stopped:
        call_command("verify", str(tmp_path / "bent.json"))

    assert stopped.value.code == 1
    assert "VERIFIED" in capsys.readouterr().out
