from openbond.node.actions import Action, Kind, due_actions
from openbond.wire.config import NodeContent
from tests.node.samples import bond, bonder, static_leg


def content(restart: int = 0, detect: int = 0) -> NodeContent:
    leg = static_leg(21, detect_mtu_count=detect)
    return bonder(bond(7, legs=[leg], restart_count=restart))


def test_the_first_boot_adopts_the_counters_without_acting() -> None:
    due, remembered = due_actions(content(restart=3, detect=9), None)

    assert due == []
    assert remembered == {"restart/7": 3, "detect_mtu/21": 9}


def test_a_risen_counter_is_acted_upon_once() -> None:
    _, remembered = due_actions(content(), None)

    due, remembered = due_actions(content(restart=1, detect=1), remembered)
    again, _ = due_actions(content(restart=1, detect=1), remembered)

    assert due == [Action(Kind.RESTART, 7), Action(Kind.DETECT_MTU, 7, 21)]
    assert again == []


def test_a_node_absent_for_a_week_acts_once_not_ten_times() -> None:
    _, remembered = due_actions(content(), None)

    due, _ = due_actions(content(detect=10), remembered)

    assert due == [Action(Kind.DETECT_MTU, 7, 21)]


def test_a_leg_that_is_new_here_brings_no_old_actions_with_it() -> None:
    _, remembered = due_actions(bonder(), None)

    due, _ = due_actions(content(restart=5, detect=5), remembered)

    assert due == []


def test_a_config_that_was_rolled_back_does_not_act_twice() -> None:
    _, remembered = due_actions(content(restart=1), None)
    due, remembered = due_actions(content(restart=2), remembered)
    _, remembered = due_actions(content(restart=1), remembered)

    again, _ = due_actions(content(restart=2), remembered)

    assert due == [Action(Kind.RESTART, 7)]
    assert again == []
