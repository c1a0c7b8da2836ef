"""The keys of the two ends that tests use."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

BONDER_PRIVATE = bytes(range(32))
AGGREGATOR_PRIVATE = bytes(range(100, 132))
SECRET = bytes(range(200, 232))


def public_of(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
