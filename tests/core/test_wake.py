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
