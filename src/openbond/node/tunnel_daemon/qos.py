"""A QoS profile of the config as the tunnel wants it: protocols by number, shares of one. Pure."""

from ipaddress import ip_network

from openbond.tunnel.settings import Qos, QosClass, QosFilter
from openbond.wire.config import QosFilterConfig, QosProfileConfig

# IANA's numbers. "icmp" means that of the packet's own version of IP.
_PROTOCOLS = {
    "tcp": (6,),
    "udp": (17,),
    "icmp": (1, 58),
    "gre": (47,),
    "esp": (50,),
    "ah": (51,),
    "sctp": (132,),
}


def tunnel_qos(profile: QosProfileConfig) -> Qos:
    """Return classes, filters and margin. A filter with a protocol unknown here matches nothing:
    it comes from a newer server.
    """
    return Qos(
        classes=tuple(
            QosClass(share=each.share / 100, copies=each.copies) for each in profile.classes
        ),
        default=profile.default,
        filters=tuple(_filter(each) for each in profile.filters),
        margin=profile.margin_permille / 1000,
    )


def _filter(each: QosFilterConfig) -> QosFilter:
    protocols = None
    if each.protocol is not None:
        protocols = frozenset(_PROTOCOLS.get(each.protocol, ()))
    return QosFilter(
        target=each.target,
        ip_version=each.ip_version,
        protocols=protocols,
        ports=tuple(each.ports),
        network=None if each.network is None else ip_network(each.network),
        dscp=each.dscp,
        min_packet_size=each.min_packet_size,
        max_packet_size=each.max_packet_size,
        min_flow_size=each.min_flow_size,
        max_flow_size=each.max_flow_size,
        max_packet_rate=each.max_packet_rate,
        tcp_ack=each.tcp_ack,
    )
