"""Who may see and do what: spaces, users, groups, permissions, tokens."""
