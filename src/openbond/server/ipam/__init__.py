"""Which space may use which public network, and where it is valid."""
