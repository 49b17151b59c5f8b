"""Wake-ups reach every listener, and a listener that left is forgotten."""

from __future__ import annotations

from aitbc.core import wake


def test_all_listeners_hear_all_topics_in_order():
    one, two = wake.Listener("one"), wake.Listener("two")
    wake._known = (0.0, [])
    try:
        wake.send("work:1", "work:1", "job:x")

        assert one.wait(2) == ["work:1", "work:1", "job:x"]
        assert two.wait(2) == ["work:1", "work:1", "job:x"]
        assert one.topics() == []
    finally:
        one.close()
        two.close()


def test_a_dead_listener_does_no_harm():
    gone, here = wake.Listener("gone"), wake.Listener("here")
    gone.socket.close()
    wake._known = (0.0, [])
    try:
        wake.send("work:1")

        assert here.wait(2) == ["work:1"]
        assert not gone.path.exists()
    finally:
        here.close()


def test_what_is_the_relays_is_told_to_relays_only():
    relay, web = wake.Listener(wake.RELAY), wake.Listener("web")
    wake._known = (0.0, [])
    try:
        wake.send(f"{wake.RELAY}:ai")
        wake.send("work:1")

        assert relay.wait(2) == [f"{wake.RELAY}:ai"]
        assert web.wait(2) == ["work:1"]
        assert relay.topics() == web.topics() == []
    finally:
        relay.close()
        web.close()
