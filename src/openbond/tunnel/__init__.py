"""The bonding tunnel: bytes and `now` in, bytes and events out. No sockets, no clock, no dice."""
