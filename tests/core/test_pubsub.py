"""Wake-ups reach every listener, and a listener that left is forgotten."""

from __future__ import annotations

import errno
import os
import resource

import pytest

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


class Failing:
    """A sending socket for which the kernel has something else to say than that nobody listens."""

    def __init__(self, number: int) -> None:
        self.number = number

    def sendto(self, message: bytes, path: str) -> int:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE, errno.ENOBUFS, errno.ENOMEM, errno.EPERM, errno.EACCES])
def test_a_living_listener_keeps_its_socket_when_sending_fails(monkeypatch, number):
    listener = pubsub.Listener("living")
    pubsub._known = (0.0, [])
    try:
        with monkeypatch.context() as patch:
            patch.setattr(pubsub, "_sender", Failing(number))
            pubsub.send("work:1")
        assert listener.path.exists()

        pubsub.send("work:2")

        assert listener.wait(2) == ["work:2"]
    finally:
        listener.close()


def test_a_full_listener_keeps_its_socket():
    listener = pubsub.Listener("full")
    pubsub._known = (0.0, [])
    try:
        for _ in range(2000):
            pubsub.send("work:1")

        assert listener.path.exists()
        assert set(listener.topics()) == {"work:1"}
    finally:
        listener.close()


def test_a_process_without_file_descriptors_sends_nothing_and_goes_on(monkeypatch):
    listener = pubsub.Listener("living")
    pubsub._known = (0.0, [])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(pubsub, "_sender", None)
    pubsub._listeners()
    lowest = os.dup(0)
    os.close(lowest)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))  # no more than are open
        try:
            pubsub.send("work:1")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert listener.path.exists() and listener.topics() == []
        pubsub.send("work:2")
        assert listener.wait(2) == ["work:2"]
    finally:
        if pubsub._sender is not None:
            pubsub._sender.close()
        listener.close()


def test_topics_of_the_relay_reach_relays_only():
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
