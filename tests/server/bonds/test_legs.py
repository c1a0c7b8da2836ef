"""Legs (api-v3 03-legs; behaviour 1.10)."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from openbond.server.bonds.models import Bond, Leg, LegReport, MobileProviderProfile
from openbond.server.bonds.services import (
    create_bond,
    create_connected_ip,
    create_leg,
    create_mobile_provider_profile,
    delete_leg,
    delete_mobile_provider_profile,
    detect_leg_mtus,
    detect_mtus,
    renew_lease,
    update_bond,
    update_leg,
    update_mobile_provider_profile,
)
from openbond.server.bonds.services.ports import give_port
from openbond.server.errors import (
    InUse,
    InvalidFields,
    LastWorkingLeg,
    LegOffline,
    NoActiveLegs,
    TuningInProgress,
)
from openbond.server.fleet.models import ConfigUpdate
from openbond.server.fleet.services import create_aggregator
from openbond.server.spaces.services import write_space
from openbond.server.system.actors import SERVER
from openbond.server.system.models import Alert, AuditEntry
from openbond.wire.states import LegType
from tests.world import World, nodes_to_update, settle_updates


def make_leg(bond: Bond, type: LegType = LegType.DHCP, **options: Any) -> Leg:
    return create_leg(by=SERVER, bond=bond, type=type, down_kbps=1000, up_kbps=500, **options)


def report_up(*legs: Leg) -> None:
    LegReport.objects.filter(leg__in=legs).update(
        bonder_state="up",
        bonder_reported=timezone.now(),
        aggregator_state="up",
        aggregator_reported=timezone.now(),
    )


def profile(world: World) -> MobileProviderProfile:
    return create_mobile_provider_profile(
        by=SERVER, name="Example Mobile", apn="internet.example", space=world.root
    )


def mobile_leg(world: World, **options: Any) -> Leg:
    return make_leg(world.bond, LegType.MOBILEBROADBAND, provider_profile=profile(world), **options)


def test_a_new_leg_has_its_port_its_report_and_both_ends_told(world: World) -> None:
    settle_updates()

    leg = make_leg(world.bond, interface="eth4")

    assert leg.tunnel_port == 2000 + leg.pk
    assert leg.report.bonder_state == "unknown"
    assert leg.report.mtu == 1500
    assert nodes_to_update() == {"site-1", "home"}


def test_the_four_types_share_one_sequence_of_ids(world: World) -> None:
    legs = [*world.bond.legs.order_by("id"), mobile_leg(world)]

    ids = [leg.pk for leg in legs]
    assert [leg.type for leg in legs] == ["dhcp", "static", "pppoe", "mobilebroadband"]
    assert ids == sorted(set(ids))
    assert legs[-1].interface is None


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"interface": "eth1"}, {"interface"}),
        ({"interface": "tun0"}, {"interface"}),
        ({"interface": "eth0"}, {"interface"}),
    ],
)
def test_an_interface_serves_one_leg_of_the_bond_and_no_customers(
    world: World, options: dict[str, Any], fields: set[str]
) -> None:
    create_connected_ip(by=SERVER, bond=world.bond, interface="eth0", ip="10.1.1.1", prefix=24)

    with pytest.raises(InvalidFields) as refusal:
        make_leg(world.bond, **options)
    with pytest.raises(InvalidFields):
        update_leg(by=SERVER, leg=world.static_leg, **options)

    assert set(refusal.value.fields) == fields


def test_different_bonds_may_use_equal_interfaces(world: World) -> None:
    leg = make_leg(world.globex_bond, interface="eth1")

    assert leg.interface == world.dhcp_leg.interface


def test_a_modem_serves_one_leg_of_the_bond_but_any_may_take_the_first_free(
    world: World,
) -> None:
    shared = profile(world)
    for modem in ("", "", "490154203237518"):
        make_leg(world.bond, LegType.MOBILEBROADBAND, provider_profile=shared, modem=modem)

    with pytest.raises(InvalidFields) as refusal:
        make_leg(
            world.bond, LegType.MOBILEBROADBAND, provider_profile=shared, modem="490154203237518"
        )
    assert set(refusal.value.fields) == {"modem"}


def test_static_addresses_are_checked_as_they_will_be(world: World) -> None:
    with pytest.raises(InvalidFields) as refusal:
        update_leg(by=SERVER, leg=world.static_leg, gateway="198.51.100.89")
    leg = update_leg(by=SERVER, leg=world.static_leg, ip="198.51.100.90", gateway="198.51.100.89")

    assert set(refusal.value.fields) == {"gateway"}
    assert bytes(leg.ip_key or b"")[-4:] == bytes([198, 51, 100, 90])


def test_a_mobile_profile_must_be_usable_in_the_space_of_the_bond(world: World) -> None:
    shared = profile(world)
    off: Any = {"use_parent_mobile_provider_profiles": False}
    write_space(by=SERVER, space=world.acme, changes=off)

    with pytest.raises(InvalidFields) as refusal:
        make_leg(world.bond, LegType.MOBILEBROADBAND, provider_profile=shared)

    assert set(refusal.value.fields) == {"provider_profile"}


def test_the_password_of_a_leg_is_sealed_and_hidden(world: World) -> None:
    update_leg(by=SERVER, leg=world.pppoe_leg, password="swordfish")

    stored = Leg.objects.get(pk=world.pppoe_leg.pk)
    assert stored.password == "swordfish"
    assert "swordfish" not in stored.sealed_password
    assert "swordfish" not in str(AuditEntry.objects.latest("id").after)


def test_leaving_offline_makes_the_states_unknown(world: World) -> None:
    report_up(world.dhcp_leg)
    update_leg(by=SERVER, leg=world.dhcp_leg, link_mode="offline")

    update_leg(by=SERVER, leg=world.dhcp_leg, link_mode="idle")

    report = LegReport.objects.get(leg=world.dhcp_leg)
    assert (report.bonder_state, report.aggregator_state) == ("unknown", "unknown")
    assert report.bonder_reported is None


def test_the_same_link_mode_again_changes_nothing(world: World) -> None:
    report_up(world.dhcp_leg)
    settle_updates()

    update_leg(by=SERVER, leg=world.dhcp_leg, link_mode="active")

    assert nodes_to_update() == set()
    assert LegReport.objects.get(leg=world.dhcp_leg).bonder_state == "up"


def test_a_note_is_no_matter_of_the_nodes(world: World) -> None:
    settle_updates()

    update_leg(by=SERVER, leg=world.dhcp_leg, note="behind the counter")

    assert nodes_to_update() == set()


def test_legs_are_locked_while_the_bond_is_tuned(world: World) -> None:
    Bond.objects.update(tuning_in_progress=True)
    leg = world.dhcp_leg

    for write in (
        lambda: make_leg(world.bond, interface="eth9"),
        lambda: update_leg(by=SERVER, leg=leg, link_mode="idle"),
        lambda: delete_leg(by=SERVER, leg=leg),
        lambda: detect_mtus(by=SERVER, leg=leg),
        lambda: detect_leg_mtus(by=SERVER, bond=world.bond),
        lambda: renew_lease(by=SERVER, leg=leg),
    ):
        with pytest.raises(TuningInProgress):
            write()


@pytest.mark.parametrize(
    "changes", [{"link_mode": "idle"}, {"link_mode": "offline"}, {"down_kbps": 0, "up_kbps": 0}]
)
def test_taking_the_last_working_leg_goes_out_forced_or_is_refused(
    world: World, changes: dict[str, Any]
) -> None:
    report_up(world.dhcp_leg)
    settle_updates()

    with pytest.raises(LastWorkingLeg):
        update_leg(by=SERVER, leg=world.dhcp_leg, force=False, **changes)
    assert nodes_to_update() == set()

    update_leg(by=SERVER, leg=world.dhcp_leg, **changes)
    assert set(ConfigUpdate.objects.values_list("forced", flat=True)) == {True}
    assert Alert.objects.get().about == f"bond {world.bond.pk}"


def test_deleting_the_last_working_leg_is_forced_too(world: World) -> None:
    report_up(world.dhcp_leg)
    settle_updates()

    with pytest.raises(LastWorkingLeg):
        delete_leg(by=SERVER, leg=world.dhcp_leg, force=False)
    delete_leg(by=SERVER, leg=world.dhcp_leg)

    assert set(ConfigUpdate.objects.values_list("forced", flat=True)) == {True}


def test_a_bond_with_another_working_leg_or_none_refuses_nothing(world: World) -> None:
    settle_updates()
    update_leg(by=SERVER, leg=world.dhcp_leg, link_mode="idle", force=False)
    update_leg(by=SERVER, leg=world.dhcp_leg, link_mode="active", force=False)
    report_up(world.dhcp_leg, world.static_leg)

    update_leg(by=SERVER, leg=world.dhcp_leg, link_mode="offline", force=False)

    assert set(ConfigUpdate.objects.values_list("forced", flat=True)) == {False}


def test_a_working_leg_must_have_been_heard_of_lately(world: World) -> None:
    report_up(world.dhcp_leg)
    long_ago = timezone.now() - timedelta(minutes=10)
    LegReport.objects.update(bonder_reported=long_ago, aggregator_reported=long_ago)

    delete_leg(by=SERVER, leg=world.dhcp_leg, force=False)


def test_mtu_detection_counts_up_on_active_legs_and_merges(world: World) -> None:
    update_leg(by=SERVER, leg=world.static_leg, link_mode="idle")
    settle_updates()

    ids = detect_leg_mtus(by=SERVER, bond=world.bond)
    detect_leg_mtus(by=SERVER, bond=world.bond)
    detect_mtus(by=SERVER, leg=world.dhcp_leg)

    assert ids == [world.dhcp_leg.pk, world.pppoe_leg.pk]
    counts = world.bond.legs.order_by("id").values_list("detect_mtu_count", flat=True)
    assert list(counts) == [1, 0, 1]
    assert nodes_to_update() == {"site-1", "home"}


def test_an_idle_leg_can_be_measured_alone_and_an_offline_one_not(world: World) -> None:
    update_leg(by=SERVER, leg=world.dhcp_leg, link_mode="idle")
    detect_mtus(by=SERVER, leg=world.dhcp_leg)
    update_leg(by=SERVER, leg=world.dhcp_leg, link_mode="offline")

    with pytest.raises(LegOffline):
        detect_mtus(by=SERVER, leg=world.dhcp_leg)
    with pytest.raises(LegOffline):
        renew_lease(by=SERVER, leg=world.dhcp_leg)


def test_a_bond_without_active_legs_has_no_mtu(world: World) -> None:
    with pytest.raises(NoActiveLegs):
        detect_leg_mtus(by=SERVER, bond=world.globex_bond)


def test_a_renewal_is_the_bonders_business(world: World) -> None:
    settle_updates()

    renew_lease(by=SERVER, leg=world.dhcp_leg)
    renew_lease(by=SERVER, leg=world.dhcp_leg)

    world.dhcp_leg.refresh_from_db()
    assert world.dhcp_leg.renew_count == 1
    assert nodes_to_update() == {"site-1"}


def test_a_new_apn_reaches_the_bonders_of_all_its_legs(world: World) -> None:
    leg = mobile_leg(world)
    assert leg.provider_profile is not None
    settle_updates()
    update_mobile_provider_profile(by=SERVER, profile=leg.provider_profile, note="new contract")
    assert nodes_to_update() == set()

    update_mobile_provider_profile(by=SERVER, profile=leg.provider_profile, password="x")

    assert nodes_to_update() == {"site-1"}


def test_a_profile_in_use_says_by_how_many_legs(world: World) -> None:
    leg = mobile_leg(world)
    assert leg.provider_profile is not None

    with pytest.raises(InUse, match="used by 1 leg"):
        delete_mobile_provider_profile(by=SERVER, profile=leg.provider_profile)
    delete_leg(by=SERVER, leg=leg)
    delete_mobile_provider_profile(by=SERVER, profile=leg.provider_profile)


def test_a_profile_stays_usable_for_the_bonds_with_its_legs(world: World) -> None:
    leg = mobile_leg(world)
    assert leg.provider_profile is not None

    with pytest.raises(InvalidFields) as refusal:
        update_mobile_provider_profile(by=SERVER, profile=leg.provider_profile, space=world.globex)
    update_mobile_provider_profile(by=SERVER, profile=leg.provider_profile, space=world.acme)

    assert set(refusal.value.fields) == {"space"}


class TestPortsBeyondTheLast:
    """Legs whose 2000 + id is no port take the lowest free at their aggregators.

    Their rows are made with ids of their own, since a sequence is not rolled back with a test.
    """

    def late_leg(self, bond: Bond, number: int) -> Leg:
        leg = Leg.objects.create(
            pk=10**9 + number,
            bond=bond,
            space=bond.space,
            type=LegType.DHCP.value,
            interface=f"late{number}",
            down_kbps=1,
            up_kbps=1,
        )
        give_port(leg=leg, bond=bond)
        return leg

    def test_the_lowest_port_free_at_the_aggregators_is_taken(self, world: World) -> None:
        Leg.objects.filter(pk=world.dhcp_leg.pk).update(tunnel_port=2000)
        used = {2000, *Leg.objects.values_list("tunnel_port", flat=True)}

        first = self.late_leg(world.bond, 1)
        second = self.late_leg(world.globex_bond, 2)

        free = [port for port in range(2000, 65536) if port not in used]
        assert (first.tunnel_port, second.tunnel_port) == (free[0], free[1])

    def test_a_port_may_repeat_where_the_aggregators_differ(self, world: World) -> None:
        Leg.objects.all().delete()
        spare = create_aggregator(by=SERVER, name="spare", ip="198.51.100.77", space=world.root)
        apart = create_bond(by=SERVER, aggregator=spare, space=world.globex)

        ports = [self.late_leg(world.bond, 1).tunnel_port, self.late_leg(apart, 2).tunnel_port]

        assert ports == [2000, 2000]

    def test_a_bond_that_moves_to_where_a_port_is_taken_gets_another(self, world: World) -> None:
        Leg.objects.all().delete()
        spare = create_aggregator(by=SERVER, name="spare", ip="198.51.100.77", space=world.root)
        apart = create_bond(by=SERVER, aggregator=spare, space=world.globex)
        first, other = self.late_leg(world.bond, 1), self.late_leg(apart, 2)

        update_bond(by=SERVER, bond=apart, aggregator=world.home)

        other.refresh_from_db()
        first.refresh_from_db()
        assert (first.tunnel_port, other.tunnel_port) == (2000, 2001)

    def test_a_leg_with_its_own_port_drives_a_found_one_away(self, world: World) -> None:
        spare = create_aggregator(by=SERVER, name="spare", ip="198.51.100.77", space=world.root)
        apart = create_bond(by=SERVER, aggregator=spare, space=world.globex)
        own = make_leg(world.bond, interface="eth8")
        late = self.late_leg(apart, 1)
        Leg.objects.filter(pk=late.pk).update(tunnel_port=own.tunnel_port)

        update_bond(by=SERVER, bond=world.bond, aggregator=spare, secondary_aggregator=None)

        own.refresh_from_db()
        late.refresh_from_db()
        assert own.tunnel_port == 2000 + own.pk
        assert late.tunnel_port != own.tunnel_port
