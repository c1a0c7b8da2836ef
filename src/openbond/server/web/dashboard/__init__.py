"""The dashboard: what hurts, first."""
