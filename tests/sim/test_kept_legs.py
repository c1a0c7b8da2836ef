"""A leg between two tests of a tuning: it stays out of its bond, yet not for ever."""

from openbond.tunnel.settings import Role
from tests.sim.internet import FAR, SITE
from tests.sim.test_speed_tests import BACK, begin, came, states, three_lines, traffic
from tests.sim.traffic import sent_since, stream


def test_a_leg_kept_after_a_test_takes_no_customers_until_its_time_is_over() -> None:
    internet = three_lines()
    begin(internet, 2, seconds=30.0)
    internet.run(2.0)

    begin(internet, 2, seconds=10.0)  # what a node does in place of giving the leg back
    before = internet.carried.copy()
    at = internet.now
    customers = stream(internet, SITE, mbps=2, seconds=8.0)
    internet.run(9.0)

    assert len(came(internet, FAR, at)[1]) == customers
    assert sent_since(internet, SITE, before, 2) < 20_000, "probes alone"
    for role in (SITE, FAR):
        assert states(internet, role)[2] == "testing"
    internet.run(1.5 + BACK)
    for role in (SITE, FAR):
        assert states(internet, role) == {1: "up", 2: "up", 3: "up"}


def test_the_next_test_takes_over_a_leg_that_was_kept() -> None:
    internet = three_lines()
    begin(internet, 2, seconds=10.0)
    internet.run(5.0)
    begin(internet, 2, seconds=30.0)
    at = internet.now

    sent = traffic(internet, Role.BONDER, mbps=8, seconds=1.0)
    internet.run(8.0)

    assert len(came(internet, FAR, at)[0]) == sent
    assert states(internet, SITE)[2] == "testing", "the earlier time of keeping ends nothing"
