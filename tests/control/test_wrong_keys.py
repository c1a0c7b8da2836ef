from openbond.server.control.wrong_keys import MAX_WAITING, WrongKeys


def test_the_first_attempt_is_judged_at_once() -> None:
    assert WrongKeys().seconds_to_wait("192.0.2.1", now=50.0) == 0.0


def test_an_address_is_judged_once_a_second_even_when_all_come_at_once() -> None:
    keys = WrongKeys()

    waits = [keys.seconds_to_wait("192.0.2.1", now=50.0) for _ in range(4)]

    assert waits == [0.0, 1.0, 2.0, 3.0]


def test_more_than_can_wait_are_turned_away() -> None:
    keys = WrongKeys()

    waits = [keys.seconds_to_wait("192.0.2.1", now=50.0) for _ in range(MAX_WAITING + 5)]

    assert waits.count(None) == 5
    assert keys.seconds_to_wait("192.0.2.1", now=51.0) is not None


def test_addresses_never_wait_for_one_another() -> None:
    keys = WrongKeys()
    for _ in range(8):
        keys.seconds_to_wait("192.0.2.1", now=50.0)

    assert keys.seconds_to_wait("192.0.2.2", now=50.0) == 0.0


def test_a_right_key_clears_the_address() -> None:
    keys = WrongKeys()
    keys.seconds_to_wait("192.0.2.1", now=50.0)
    keys.seconds_to_wait("192.0.2.1", now=50.0)

    keys.on_right_key("192.0.2.1")

    assert keys.seconds_to_wait("192.0.2.1", now=50.0) == 0.0


def test_many_addresses_do_not_fill_the_memory() -> None:
    keys = WrongKeys()

    for number in range(30_000):
        keys.seconds_to_wait(f"address {number}", now=float(number))

    assert len(keys._next_turn) <= 10_001
