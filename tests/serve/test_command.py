"""What `manage.py serve` starts."""

from __future__ import annotations

import pytest
from django.conf import LazySettings

from aitbc.core.management.commands.serve import default_port, flags


@pytest.mark.parametrize(("services", "port"), [("", 8080), ("gpu", 8101), ("plugins", 8109), ("gpu,ai", 8080)])
def test_a_service_alone_listens_on_its_own_port(settings: LazySettings, services: str, port: int) -> None:
    settings.AITBC_SERVICES = services

    assert default_port() == port


def test_parked_polls_do_not_count_against_a_small_backlog() -> None:
    options = flags("127.0.0.1", 8080, 2)

    assert int(options[options.index("--backpressure") + 1]) >= 4096
    assert "--respawn-failed-workers" in options
