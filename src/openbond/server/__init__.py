"""The management server."""
