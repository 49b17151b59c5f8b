"""Ports that a command is about to listen on."""

from __future__ import annotations

import socket


def refusal(host: str, port: int) -> str:
    """Why nothing can listen here now, in the words of the system; empty when something can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server: not held up by old connections
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return ""
