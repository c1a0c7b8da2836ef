"""Accounts on the site: sign-in, second factors, sessions, tokens."""
