"""The page of a bond: what hurts, why, since when, and what to do."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from openbond.server.bonds.models import Bond, Leg, LegReport
from openbond.server.bonds.services import create_leg, update_bond
from openbond.server.control.models import PublishedConfig
from openbond.server.control.publish import publish
from openbond.server.fleet.models import Aggregator, Node
from openbond.server.measurement.models import Alarm, LegChange, SpeedTest, Tuning
from openbond.server.measurement.services import create_speed_test, create_tuning
from openbond.server.system.actors import SERVER
from openbond.server.telemetry.rules.charts import CHARTS, SPANS
from openbond.server.web.bonds.look import BondLook
from openbond.wire.states import LegType
from tests.queries import queries_of
from tests.web.signed_in import signed_in
from tests.web.test_dashboard import say
from tests.world import World


def page_of(world: World, name: str = "ana") -> str:
    return signed_in(world, name).get(f"/bonds/{world.bond.pk}/").content.decode()


def look_at(world: World) -> BondLook:
    found = signed_in(world, "ana").get(f"/bonds/{world.bond.pk}/").context["look"]
    assert isinstance(found, BondLook)
    return found


def add_legs(world: World, count: int) -> None:
    now = timezone.now()
    legs = Leg.objects.bulk_create(
        Leg(
            bond=world.bond,
            space=world.acme,
            type=LegType.DHCP.value,
            down_kbps=1000,
            up_kbps=1000,
            interface=f"eth{number + 10}",
            created=now,
            modified=now,
        )
        for number in range(count)
    )
    LegReport.objects.bulk_create(LegReport(leg=leg) for leg in legs)


@pytest.fixture
def hurt(world: World) -> World:
    """Two legs up, one of them a spill leg upwards, and one down for ten minutes."""
    for leg in (world.dhcp_leg, world.static_leg):
        say(leg, "up")
    say(world.pppoe_leg, "down")
    LegReport.objects.filter(leg=world.static_leg).update(
        up_spill_reason="adds 90 ms", rtt_us=41_300, down_loss_permille=15, adapted_down_kbps=4000
    )
    then = timezone.now() - timedelta(minutes=10)
    LegChange.objects.create(leg=world.pppoe_leg, source="bonder", state="down", start=then)
    return world


def test_the_leg_that_hurts_comes_first_with_its_reason(hurt: World) -> None:
    page = page_of(hurt)

    seen = look_at(hurt)

    assert seen.legs[0][0].id == hurt.pppoe_leg.pk
    assert "1 of 3 active legs carry nothing; the bond goes on." in page
    assert "no answer from the other end" in page
    assert "10 minutes ago" in page


def test_each_direction_says_whether_it_is_full_or_spill_and_why(hurt: World) -> None:
    legs = {leg.id: leg for leg, _ in look_at(hurt).legs}

    spill = legs[hurt.static_leg.pk]

    assert (spill.up.use, spill.up.why) == ("spill", "adds 90 ms")
    assert (spill.down.use, spill.down.why) == ("full", "")
    page = page_of(hurt)
    for words in ("adds 90 ms", "41.3 ms", "1.5 % lost", "4 Mbit/s"):
        assert words in page


@pytest.mark.parametrize(
    ("mode", "why"), [("offline", "switched off"), ("idle", "idle: answers, carries nothing")]
)
def test_a_leg_that_people_took_out_says_so(mode: str, why: str, hurt: World) -> None:
    type(hurt.dhcp_leg).objects.filter(pk=hurt.dhcp_leg.pk).update(link_mode=mode)

    legs = {leg.id: leg for leg, _ in look_at(hurt).legs}

    assert (legs[hurt.dhcp_leg.pk].down.use, legs[hurt.dhcp_leg.pk].down.why) == ("nothing", why)


def test_a_bond_that_is_down_says_which_end_is_silent(world: World) -> None:
    now = timezone.now()
    Node.objects.filter(pk=world.bonder.pk).update(last_connected=now - timedelta(hours=1))
    Node.objects.filter(pk=world.home.pk).update(last_connected=now)

    assert "The bonder does not answer" in page_of(world)

    Node.objects.filter(pk=world.bonder.pk).update(last_connected=now)
    Aggregator.objects.filter(pk=world.home.pk).update(failed=True)
    assert f"The aggregator {world.home.name} does not answer; the bonder does." in page_of(world)


def test_open_alarms_stand_above_with_advice(hurt: World) -> None:
    now = timezone.now()
    Alarm.objects.create(kind="leg_down", bond=hurt.bond, leg=hurt.pppoe_leg, since=now, opened=now)
    Alarm.objects.create(kind="mtu_low", bond=hurt.bond, leg=hurt.dhcp_leg, since=now)

    page = page_of(hurt)

    assert "Ask its provider, or look at its cable and modem." in page
    assert "small packets" not in page  # not open yet


def test_a_bond_on_its_secondary_offers_the_way_back_and_no_other_does(hurt: World) -> None:
    way_back = f"/bonds/{hurt.bond.pk}/do/restore_to_primary_agg/"
    assert way_back not in page_of(hurt)
    Bond.objects.filter(pk=hurt.bond.pk).update(current_aggregator=hurt.away)

    page = page_of(hurt)
    assert f"Restore to {hurt.home.name}" in page
    assert way_back in page

    Aggregator.objects.filter(pk=hurt.home.pk).update(failed=True)
    page = page_of(hurt)
    assert way_back not in page
    assert "which is still failed" in page


def test_whoever_may_not_see_legs_sees_none(hurt: World) -> None:
    hurt.restrict("ana", "view_bond")

    page = page_of(hurt)

    assert "eth1" not in page
    assert "bond-node" in page
    assert f"/bonds/{hurt.bond.pk}/key/" not in page


@pytest.mark.parametrize("part", ["", "key/", "config/"])
def test_a_bond_of_another_space_is_not_there(part: str, world: World) -> None:
    gil = signed_in(world, "gil")

    assert gil.get(f"/bonds/{world.bond.pk}/{part}").status_code == 404


def test_the_node_key_comes_on_a_click_to_whoever_may_see_bonders(world: World) -> None:
    ana = signed_in(world, "ana")
    key = world.bonder.key

    assert key not in page_of(world)
    part = ana.get(f"/bonds/{world.bond.pk}/key/").content.decode()

    assert f"openbond node enroll --server testserver --key {key} --ca-fingerprint" in part
    world.restrict("ana", "view_bond")
    assert ana.get(f"/bonds/{world.bond.pk}/key/").status_code == 403


def test_the_config_is_compared_with_what_the_node_applied(world: World) -> None:
    now = timezone.now()
    config = publish(node_id=world.bonder.pk, now=now)
    PublishedConfig.objects.filter(pk=config.pk).update(
        applied_revision=config.revision,
        applied=now,
        kept_revision=config.revision,
        kept_content=config.content,
    )
    ana = signed_in(world, "ana")
    before = ana.get(f"/bonds/{world.bond.pk}/config/").context["look"]
    update_bond(by=SERVER, bond=world.bond, reorder_max_hold=321)

    answer = ana.get(f"/bonds/{world.bond.pk}/config/")

    after = answer.context["look"]
    assert (before.diff, before.is_published) == ([], True)
    assert [line.text.strip() for line in after.diff if line.kind == "new"] == [
        '"reorder_max_hold_ms": 321,'
    ]
    assert not after.is_published
    assert len(answer.context["updates"]) >= 1


def test_a_config_shows_no_secret_but_says_that_one_changed(world: World) -> None:
    now = timezone.now()
    config = publish(node_id=world.bonder.pk, now=now)
    secret = Bond.objects.get(pk=world.bond.pk).secret
    kept = bytes(config.content).replace(secret.encode(), b"another secret")
    PublishedConfig.objects.filter(pk=config.pk).update(
        applied_revision=1, applied=now, kept_revision=1, kept_content=kept
    )

    page = signed_in(world, "ana").get(f"/bonds/{world.bond.pk}/config/").content.decode()

    assert kept != bytes(config.content)
    assert secret not in page
    assert "another secret" not in page
    assert "Only a secret differs from revision 1" in page


def test_the_page_asks_no_more_for_a_hundred_legs_and_tests_than_for_three(world: World) -> None:
    ana = signed_in(world, "ana")

    def ask() -> None:
        assert ana.get(f"/bonds/{world.bond.pk}/").status_code == 200

    say(world.dhcp_leg, "up")
    create_speed_test(by=SERVER, bond=world.bond)
    create_tuning(by=SERVER, bond=world.bond)
    few = len(queries_of(ask))
    add_legs(world, 97)
    now = timezone.now()
    SpeedTest.objects.bulk_create(
        SpeedTest(bond=world.bond, description="x", submitted=now, created=now, modified=now)
        for _ in range(97)
    )
    then = timezone.now() - timedelta(hours=1)
    LegChange.objects.bulk_create(
        LegChange(leg=leg, source="bonder", state="up", start=then) for leg in world.bond.legs.all()
    )

    many = len(queries_of(ask))

    assert many <= few
    assert many <= 45


def test_the_histories_of_all_legs_stand_on_one_line(hurt: World) -> None:
    then = timezone.now() - timedelta(hours=2)
    for state, at in (("up", then - timedelta(hours=9)), ("down", then)):
        LegChange.objects.create(leg=hurt.static_leg, source="bonder", state=state, start=at)
    Leg.objects.update(created=then - timedelta(days=3))

    answer = signed_in(hurt, "ana").get(f"/bonds/{hurt.bond.pk}/histories/")

    bond, *legs = answer.context["tracks"]
    assert bond.name == "Bond"
    static = legs[1]
    assert [one.state for one in static.stretches][-2:] == ["up", "down"]
    down = static.stretches[-1]
    assert (down.x, down.width) == pytest.approx((1320, 120), abs=1)
    assert "Prevented downtime" in answer.content.decode()


def test_histories_tell_since_when_the_bond_carries_traffic_whatever_leg_did(hurt: World) -> None:
    now, hour = timezone.now(), timedelta(hours=1)
    Leg.objects.update(created=now - timedelta(days=3))
    for leg, state, before in (
        (hurt.static_leg, "up", 9 * hour),
        (hurt.dhcp_leg, "up", 4 * hour),
        (hurt.static_leg, "down", 3 * hour),
        (hurt.dhcp_leg, "down", 2.5 * hour),
        (hurt.dhcp_leg, "up", 2 * hour),
        (hurt.static_leg, "up", 1 * hour),
    ):
        LegChange.objects.create(leg=leg, source="bonder", state=state, start=now - before)

    page = signed_in(hurt, "ana").get(f"/bonds/{hurt.bond.pk}/histories/").content.decode()

    told = page.partition("has carried traffic without a break since")[2].partition("</p>")[0]
    assert "2 hours ago" in told


def test_histories_ask_no_more_for_a_hundred_legs_than_for_three(world: World) -> None:
    ana = signed_in(world, "ana")

    def ask() -> None:
        assert ana.get(f"/bonds/{world.bond.pk}/histories/").status_code == 200

    few = len(queries_of(ask))
    add_legs(world, 97)

    assert len(queries_of(ask)) <= few
    assert few <= 25


def test_the_page_has_every_documented_chart_and_span(world: World) -> None:
    page = page_of(world)

    for chart in CHARTS:
        assert f'data-chart="{chart}"' in page
    for span in SPANS:
        assert f'data-span="{span}"' in page
    assert f"/api/charts/bonds/{world.bond.pk}/" in page


class TestSpeedTests:
    def form(self, **values: str) -> dict[str, str]:
        return {
            "leg": "",
            "direction": "upload",
            "length": "20",
            "protocol": "udp",
            "concurrency": "2",
            "rates": "",
        } | values

    def post(self, world: World, **values: str) -> Any:
        return signed_in(world, "ana").post(f"/bonds/{world.bond.pk}/test/", self.form(**values))

    def test_several_rate_limits_are_a_test_each(self, world: World) -> None:
        self.post(world, rates="10, 20.5,40")

        found = SpeedTest.objects.order_by("id").values_list("rate_limit_kbps", "direction")
        assert list(found) == [(10_000, "upload"), (20_500, "upload"), (40_000, "upload")]
        assert "limit 20.5 Mbit/s" in page_of(world)

    @pytest.mark.parametrize(
        ("field", "value"),
        [("length", "301"), ("length", "x"), ("rates", "10,-1"), ("concurrency", ""),
         ("rates", ",".join("1" * 11)), ("direction", "sideways")],
    )  # fmt: skip
    def test_a_wrong_value_is_told_beside_its_field_and_starts_nothing(
        self, field: str, value: str, world: World
    ) -> None:
        answer = self.post(world, **{field: value})

        assert answer.status_code == 400
        assert answer.context["form"].errors.keys() == {field}
        assert value in answer.content.decode()
        assert not SpeedTest.objects.exists()

    def test_a_leg_of_another_bond_cannot_be_tested(self, world: World) -> None:
        other = create_leg(
            by=SERVER,
            bond=world.globex_bond,
            type=LegType.DHCP,
            down_kbps=1000,
            up_kbps=1000,
            interface="eth1",
        )
        say(other, "up")

        answer = self.post(world, leg=str(other.pk))

        assert answer.context["form"].errors.keys() == {"leg"}

    def test_a_running_test_shows_how_far_it_is_and_can_be_cancelled(self, world: World) -> None:
        test = create_speed_test(by=SERVER, bond=world.bond, length=20)
        SpeedTest.objects.filter(pk=test.pk).update(
            status="running", progress_results=[{"time": 7.0, "throughput": 12_400_000}]
        )
        ana = signed_in(world, "ana")
        page = page_of(world)
        there = f"/bonds/{world.bond.pk}/speedtests/{test.pk}/cancel/"

        assert '<progress max="20" value="7"' in page
        assert "12.4 Mbit/s" in page
        assert there in page
        assert ana.get(there).status_code == 200
        ana.post(there)

        test.refresh_from_db()
        assert (test.status, test.error) == ("cancelled", "The test was cancelled.")
        again = ana.post(there, follow=True).content.decode()
        assert "The test has already ended." in again

    def test_a_test_of_a_tuning_ends_with_the_tuning_alone(self, world: World) -> None:
        say(world.dhcp_leg, "up")
        tuning = create_tuning(by=SERVER, bond=world.bond)
        test = create_speed_test(by=SERVER, bond=world.bond, tuning=tuning)
        ana = signed_in(world, "ana")

        path = f"/bonds/{world.bond.pk}/speedtests/{test.pk}/cancel/"
        answer = ana.post(path, follow=True)

        assert "A tuning runs this test: cancel the tuning." in answer.content.decode()
        test.refresh_from_db()
        assert test.status == "queued"

    @pytest.mark.parametrize("path", ["test/", "tune/"])
    def test_whoever_may_not_starts_nothing(self, path: str, world: World) -> None:
        world.restrict("ana", "view_bond", "view_leg", "view_speedtest", "view_tuner")

        answer = signed_in(world, "ana").post(f"/bonds/{world.bond.pk}/{path}", self.form())

        assert answer.status_code == 403
        assert not SpeedTest.objects.exists()
        assert not Tuning.objects.exists()


class TestTuners:
    def test_a_tuner_of_the_bond_or_of_a_leg_is_started(self, world: World) -> None:
        ana = signed_in(world, "ana")

        ana.post(f"/bonds/{world.bond.pk}/tune/", {"leg": str(world.dhcp_leg.pk)})
        refused = ana.post(f"/bonds/{world.bond.pk}/tune/", {"leg": ""}, follow=True)

        tuning = Tuning.objects.get()
        assert tuning.leg == world.dhcp_leg
        assert "tuning" in refused.content.decode()
        assert f"/legs/{world.dhcp_leg.pk}/tuners/{tuning.pk}/do/cancel/" in page_of(world)

    def test_a_recommendation_says_what_and_why_and_is_accepted(self, world: World) -> None:
        tuning = create_tuning(by=SERVER, bond=world.bond, leg=world.dhcp_leg)
        Tuning.objects.filter(pk=tuning.pk).update(
            status="succeeded",
            finished=timezone.now(),
            recommendations={"down_kbps": 48_200, "up_kbps": 9_800},
            decision="pending",
            reasons=[{"about": f"leg {world.dhcp_leg.pk} down_speed", "words": "It lost <1 %."}],
        )
        Bond.objects.filter(pk=world.bond.pk).update(tuning_in_progress=False)
        page = page_of(world)
        there = f"/bonds/{world.bond.pk}/legs/{world.dhcp_leg.pk}/tuners/{tuning.pk}/do/accept/"

        assert "48.2 Mbit/s" in page
        assert "It lost &lt;1 %." in page
        assert there in page
        signed_in(world, "ana").post(there)

        world.dhcp_leg.refresh_from_db()
        assert (world.dhcp_leg.down_kbps, world.dhcp_leg.up_kbps) == (48_200, 9_800)
        assert there not in page_of(world)


def test_what_a_test_found_stands_in_lists_as_people_say_it(hurt: World) -> None:
    test = create_speed_test(by=SERVER, bond=hurt.bond)
    found = {
        "throughput": 60_210_000, "packet_rate": 5190, "latency_average": 24.6,
        "latency_deviation": 1.9, "latency_samples": 50, "send_queue_average": 3.1,
        "packet_loss": 0.0,
    }  # fmt: skip
    SpeedTest.objects.filter(pk=test.pk).update(status="finished", results=found)
    ana = signed_in(hurt, "ana")

    rows = ana.get("/speedtests/").content.decode()
    whole = ana.get(f"/bonds/{hurt.bond.pk}/speedtests/{test.pk}/").content.decode()

    assert "60.2\u00a0Mbit/s, 24.6\u00a0" in rows
    assert "60210000" not in rows + whole
    assert '<dt>Send queue average</dt><dd>3.1\u00a0<span class="unit">packets' in whole


def test_what_a_tuning_recommends_stands_in_lists_as_people_say_it(hurt: World) -> None:
    leg = create_tuning(by=SERVER, bond=hurt.bond, leg=hurt.static_leg)
    found = {"down_kbps": 47_500, "up_kbps": 9_200}
    Tuning.objects.filter(pk=leg.pk).update(
        status="succeeded", decision="pending", recommendations=found
    )

    rows = signed_in(hurt, "ana").get("/leg_tuners/").content.decode()

    assert 'down, 9.2\u00a0<span class="unit">Mbit/s</span> up' in rows


def test_tests_and_tunings_have_one_way_each_to_be_started(hurt: World) -> None:
    ana, bond = signed_in(hurt, "ana"), f"/bonds/{hurt.bond.pk}/"
    leg = f"{bond}legs/{hurt.static_leg.pk}/"

    for address, way in (
        (f"{bond}speedtests/", f'"{bond}test/"'),
        (f"{bond}tuners/", f'"{bond}tune/"'),
        (f"{leg}tuners/", f'"{bond}tune/?leg={hurt.static_leg.pk}"'),
        (bond, f'"{bond}tune/"'),
    ):
        page = ana.get(address).content.decode()
        assert way in page, address
        assert "speedtests/new/" not in page
        assert "tuners/new/" not in page
    begun = ana.get(f"{bond}tune/?leg={hurt.static_leg.pk}").content.decode()
    assert f'<option value="{hurt.static_leg.pk}" selected>' in begun


def test_the_page_that_edits_says_so(hurt: World) -> None:
    page = signed_in(hurt, "ana").get(f"/bonds/{hurt.bond.pk}/edit/").content.decode()

    assert f'<h1 class="page-title">Edit {hurt.bond.name}</h1>' in page
