"""The public keys by which tunnels know nodes: those of valid certificates only."""

from collections.abc import Iterable

from .models import Enrolment


def tunnel_keys(node_ids: Iterable[int]) -> dict[int, bytes]:
    """Return X25519 keys by node; a node without a valid certificate has none."""
    current = Enrolment.objects.filter(node_id__in=set(node_ids), ended__isnull=True)
    return {row.node_id: bytes(row.tunnel_key) for row in current.only("node_id", "tunnel_key")}
