"""Failed logins wait, nobody else does (00-general.md, 2.6); in virtual time."""

from collections.abc import Iterator

import pytest

from openbond.server.api.authentication import login_delays
from openbond.server.api.login_delays import (
    FORGOTTEN_AFTER_SECONDS,
    MAX_ENTRIES,
    MAX_SECONDS,
    LoginDelays,
)
from openbond.server.control.django_desk import ANSWER_AFTER
from tests.api.test_authentication import BONDS, basic, with_header
from tests.world import World

HERE, THERE = "192.0.2.1", "192.0.2.2"


def failing(delays: LoginDelays, times: int, *, now: float = 50.0, **who: str) -> list[float]:
    where = {"address": HERE, "account": "ana", **who}
    return [delays.on_failure(**where, now=now) for _ in range(times)]


def test_the_delay_doubles_up_to_a_second() -> None:
    assert failing(LoginDelays(), 8) == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


def test_no_number_of_failures_makes_it_longer() -> None:
    assert max(failing(LoginDelays(), 5000)) == MAX_SECONDS


def test_one_address_that_tries_many_accounts_is_slowed() -> None:
    delays = LoginDelays()

    waits = [failing(delays, 1, account=f"user {number}")[0] for number in range(6)]

    assert waits[-1] == MAX_SECONDS


def test_one_account_that_is_tried_from_many_addresses_is_slowed() -> None:
    delays = LoginDelays()

    waits = [failing(delays, 1, address=f"198.51.100.{number}")[0] for number in range(6)]

    assert waits[-1] == MAX_SECONDS


def test_others_do_not_wait_for_a_guesser() -> None:
    delays = LoginDelays()
    failing(delays, 20)

    assert failing(delays, 1, address=THERE, account="eve") == [0.05]


def test_the_case_of_a_name_makes_no_other_account() -> None:
    delays = LoginDelays()
    failing(delays, 3, account="ANA@Example.net")

    assert failing(delays, 1, address=THERE, account="ana@example.NET") == [0.4]


def test_a_right_login_clears_its_account_but_not_a_guessers_address() -> None:
    delays = LoginDelays()
    failing(delays, 6, account="victim")

    delays.on_success(account="guesser")
    delays.on_success(account="victim")

    assert failing(delays, 1, address=THERE, account="victim") == [0.05]
    assert failing(delays, 1, address=HERE, account="victim") == [MAX_SECONDS]


def test_failures_without_a_name_count_for_their_address_alone() -> None:
    delays = LoginDelays()
    failing(delays, 6, account="")

    assert failing(delays, 1, address=THERE, account="") == [0.05]


def test_what_is_quiet_is_forgotten() -> None:
    delays = LoginDelays()
    failing(delays, 6, now=50.0)

    assert failing(delays, 1, now=50.0 + FORGOTTEN_AFTER_SECONDS + 1) == [0.05]


def test_many_guessers_do_not_fill_the_memory() -> None:
    delays = LoginDelays()

    for number in range(20_000):
        failing(delays, 1, address=f"address {number}", account=f"account {number}")

    assert len(delays._failures) <= MAX_ENTRIES
    assert failing(delays, 1, address="address 19999") == [0.1]


@pytest.fixture
def nobody_failed_yet() -> Iterator[None]:
    login_delays.forget()
    yield
    login_delays.forget()


@pytest.mark.usefixtures("nobody_failed_yet")
def test_only_the_answer_to_a_failed_login_waits(world: World) -> None:
    wrong = [basic("ana", "wrong").get(BONDS).wsgi_request.META[ANSWER_AFTER] for _ in range(3)]
    right = basic("ana").get(BONDS)
    again = basic("gil").get(BONDS)
    without = world.nobody().get(BONDS)

    assert wrong == [0.05, 0.1, 0.2]
    for answer, status in ((right, 200), (again, 200), (without, 401)):
        assert answer.status_code == status
        assert ANSWER_AFTER not in answer.wsgi_request.META


@pytest.mark.usefixtures("nobody_failed_yet")
@pytest.mark.parametrize("header", ["Basic !!!", "Token 0123456789", "Bearer abc", ""])
def test_credentials_of_any_kind_that_fail_wait_and_are_401(header: str, world: World) -> None:
    answers = [with_header(header).get(BONDS) for _ in range(8)]

    assert {answer.status_code for answer in answers} == {401}
    assert answers[-1].wsgi_request.META[ANSWER_AFTER] == MAX_SECONDS
