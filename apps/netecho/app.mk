# Built as build/netecho, a session's module: see docs/net.md.
