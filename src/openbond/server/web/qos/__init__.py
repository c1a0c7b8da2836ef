"""The editor of QoS profiles: the one place where people make them (api-v3 06-qos-mobile 1)."""
