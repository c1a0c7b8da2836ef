from openbond.node.announce import Announcements


def test_a_bond_that_was_never_up_is_not_announced() -> None:
    assert Announcements().withdrawn([7, 8], now=0.0) == {7, 8}


def test_a_bond_is_announced_while_it_is_up_and_thirty_seconds_more() -> None:
    announcements = Announcements()
    announcements.on_tunnel(7, is_up=True, now=0.0)
    announcements.on_tunnel(7, is_up=False, now=100.0)

    assert announcements.withdrawn([7], now=129.9) == frozenset()
    assert announcements.next_change() == 130.0
    assert announcements.withdrawn([7], now=130.0) == {7}


def test_a_bond_that_comes_back_in_time_is_never_withdrawn() -> None:
    announcements = Announcements()
    announcements.on_tunnel(7, is_up=True, now=0.0)
    announcements.on_tunnel(7, is_up=False, now=100.0)
    announcements.on_tunnel(7, is_up=True, now=120.0)

    assert announcements.withdrawn([7], now=1000.0) == frozenset()
    assert announcements.next_change() is None


def test_what_an_agent_before_us_announced_stays_until_its_tunnel_is_known() -> None:
    announcements = Announcements()
    announcements.adopt(7, now=0.0)

    assert announcements.withdrawn([7], now=10.0) == frozenset()
    assert announcements.withdrawn([7], now=30.0) == {7}


def test_what_is_withdrawn_wakes_nobody_again() -> None:
    announcements = Announcements()
    announcements.adopt(7, now=0.0)

    announcements.settle(now=30.0)

    assert announcements.next_change() is None
