"""What runs on a bonder or an aggregator: the agent, and the tunnel daemon beside it."""
