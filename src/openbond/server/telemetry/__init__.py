"""What nodes measure, in a database of its own: intake, roll-ups, charts (behaviour 4.7, 4.8)."""

# The alias of that database among Django's.
ALIAS = "telemetry"
