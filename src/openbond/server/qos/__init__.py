"""QoS profiles: their classes and filters."""
