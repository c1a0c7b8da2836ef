"""The agent channel: enrol nodes, compile and deliver their configs, take in their reports."""
