"""A QoS profile as nodes get it (behaviour 5.10). Pure: classes and filters are loaded already."""

from openbond.server.qos.models import IpVersion, Protocol, QosFilter, QosProfile
from openbond.wire.config import QosClassConfig, QosFilterConfig, QosProfileConfig


def compile_profile(profile: QosProfile) -> QosProfileConfig:
    """Return the profile with its classes in the order of service."""
    classes = sorted(profile.classes.all(), key=lambda row: row.position)
    index = {row.pk: number for number, row in enumerate(classes)}
    filters = sorted(profile.filters.all(), key=lambda row: row.position)
    return QosProfileConfig(
        id=profile.pk,
        margin_permille=profile.overhead_margin_permille,
        default=next(number for number, row in enumerate(classes) if row.is_default),
        classes=[
            QosClassConfig(name=row.name, share=row.bandwidth, copies=row.copies) for row in classes
        ],
        filters=[_filter(row, index[row.target_id]) for row in filters],
    )


def _filter(row: QosFilter, target: int) -> QosFilterConfig:
    return QosFilterConfig(
        target=target,
        ip_version=None if row.ip_version == IpVersion.ANY else int(row.ip_version),
        protocol=None if row.protocol == Protocol.ANY else row.protocol,
        ports=[_range(part) for part in row.ports.split(",") if part],
        network=row.network,
        dscp=row.dscp,
        min_packet_size=row.min_packet_size,
        max_packet_size=row.max_packet_size,
        min_flow_size=row.min_flow_size,
        max_flow_size=row.max_flow_size,
        max_packet_rate=row.max_packet_rate,
        tcp_ack=row.tcp_ack,
    )


def _range(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    return int(low), int(high or low)
