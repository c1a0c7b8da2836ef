"""What the whole installation shares: settings, audit, locks, addresses, sealed secrets."""
