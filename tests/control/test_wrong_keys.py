from openbond.server.control.wrong_keys import AT_ONCE, MAX_WAITING, WrongKeys

GUESSER, OTHER = "192.0.2.1", "192.0.2.2"


def suspect(now: float = 50.0) -> WrongKeys:
    """An address whose first key, judged at `now`, was wrong."""
    keys = WrongKeys()
    keys.begin(GUESSER, now)
    keys.on_wrong_key(GUESSER, now)
    keys.end(GUESSER)
    return keys


def test_the_first_attempt_is_judged_at_once() -> None:
    assert WrongKeys().begin(GUESSER, now=50.0) == 0.0


def test_after_a_wrong_key_an_address_is_judged_once_a_second() -> None:
    keys = suspect(now=50.0)

    waits = [keys.begin(GUESSER, now=50.0) for _ in range(4)]

    assert waits == [1.0, 2.0, 3.0, 4.0]


def test_machines_behind_one_address_enrol_without_waiting() -> None:
    keys = WrongKeys()
    waits = []

    for _ in range(40):
        waits.append(keys.begin(GUESSER, now=50.0))
        keys.on_right_key(GUESSER)
        keys.end(GUESSER)

    assert set(waits) == {0.0}


def test_guesses_sent_all_at_once_are_not_judged_at_once() -> None:
    keys = WrongKeys()

    waits = [keys.begin(GUESSER, now=50.0) for _ in range(AT_ONCE + 3)]

    assert waits[:AT_ONCE] == [0.0] * AT_ONCE
    assert waits[AT_ONCE:] == [0.0, 1.0, 2.0]


def test_more_than_can_wait_are_turned_away() -> None:
    keys = suspect(now=50.0)

    waits = [keys.begin(GUESSER, now=50.0) for _ in range(MAX_WAITING + 5)]

    assert waits.count(None) == 6
    assert keys.begin(GUESSER, now=53.0) is not None


def test_addresses_never_wait_for_one_another() -> None:
    assert suspect(now=50.0).begin(OTHER, now=50.0) == 0.0


def test_a_right_key_clears_the_address() -> None:
    keys = suspect(now=50.0)

    keys.on_right_key(GUESSER)

    assert keys.begin(GUESSER, now=50.0) == 0.0


def test_many_addresses_do_not_fill_the_memory() -> None:
    keys = WrongKeys()

    for number in range(30_000):
        keys.begin(f"address {number}", now=float(number))
        keys.on_wrong_key(f"address {number}", now=float(number))
        keys.end(f"address {number}")

    assert len(keys._next_turn) <= 10_001
    assert not keys._under_way
