"""One port for ordinary requests, long polls and event streams (docs/server.md)."""
