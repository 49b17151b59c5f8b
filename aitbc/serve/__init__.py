"""One port for ordinary doors, long polls and event streams (docs/server.md)."""
