"""Wake-ups reach every listener, and a listener that left is forgotten."""

from __future__ import annotations

from aitbc.core import pubsub


def test_all_listeners_hear_all_topics_in_order():
    one, two = pubsub.Listener("one"), pubsub.Listener("two")
    pubsub._known = (0.0, [])
    try:
        pubsub.send("work:1", "work:1", "job:x")

        assert one.wait(2) == ["work:1", "work:1", "job:x"]
        assert two.wait(2) == ["work:1", "work:1", "job:x"]
        assert one.topics() == []
    finally:
        one.close()
        two.close()


def test_a_dead_listener_does_no_harm():
    gone, here = pubsub.Listener("gone"), pubsub.Listener("here")
    gone.socket.close()
    pubsub._known = (0.0, [])
    try:
        pubsub.send("work:1")

        assert here.wait(2) == ["work:1"]
        assert not gone.path.exists()
    finally:
        here.close()


def test_what_is_the_relays_is_told_to_relays_only():
    relay, web = pubsub.Listener(pubsub.RELAY), pubsub.Listener("web")
    pubsub._known = (0.0, [])
    try:
        pubsub.send(f"{pubsub.RELAY}:ai")
        pubsub.send("work:1")

        assert relay.wait(2) == [f"{pubsub.RELAY}:ai"]
        assert web.wait(2) == ["work:1"]
        assert relay.topics() == web.topics() == []
    finally:
        relay.close()
        web.close()
