"""Hearing reports of the receiver, and the sender's suspicion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.tunnel.hearing import Gap, Hearing, Listener, Suspicion, decode_hearing

PATIENCE = 0.040


def heard(listener: Listener, *numbers: int, now: float, is_data: bool = True) -> None:
    for number in numbers:
        listener.on_heard(1, number, 1, now, is_data=is_data)


def reports(listener: Listener, *, until: float) -> list[tuple[float, Hearing]]:
    """Ask the listener whenever it wants to be asked."""
    found = []
    while (now := listener.get_timer()) <= until:
        report = listener.report_to_send(now)
        assert report is not None
        assert listener.get_timer() > now
        found.append((now, report))
    return found


# -- reports


def test_data_is_reported_within_forty_milliseconds() -> None:
    listener = Listener()
    heard(listener, 10, 11, 12, now=1.0)

    [(at, report)] = reports(listener, until=2.0)

    assert at == pytest.approx(1.040)
    assert (report.session, report.highest, report.heard, report.gaps) == (1, 12, 3, ())
    assert report.delay == pytest.approx(0.040)


def test_while_data_comes_reports_come_every_forty_milliseconds() -> None:
    listener, found = Listener(), 0

    for number in range(1000):
        now = 1.0 + number / 1000
        heard(listener, number, now=now)
        found += len(reports(listener, until=now))

    assert found == pytest.approx(24, abs=1)


def test_probes_alone_make_no_reports() -> None:
    listener = Listener()

    heard(listener, 1, 2, 3, now=1.0, is_data=False)

    assert reports(listener, until=100.0) == []


def test_a_gap_is_named_at_once_when_three_later_datagrams_came() -> None:
    listener = Listener()
    heard(listener, 1, 2, 5, 6, now=1.0)
    assert listener.report_to_send(1.0) is None

    heard(listener, 7, now=1.0)

    report = listener.report_to_send(1.0)
    assert report is not None
    assert report.gaps == (Gap(3, 2),)


def test_a_gap_with_little_after_it_is_named_after_ten_milliseconds() -> None:
    listener = Listener()
    heard(listener, 1, 2, 5, now=1.0)

    [(at, report), *_] = reports(listener, until=2.0)

    assert at == pytest.approx(1.010)
    assert report.gaps == (Gap(3, 2),)


def test_datagrams_that_overtake_each_other_a_little_make_no_gap() -> None:
    listener = Listener()

    heard(listener, 1, 3, 4, 2, 6, 5, 9, 7, 8, 10, now=1.0)

    assert [report.gaps for _, report in reports(listener, until=2.0)] == [()]


def test_a_gap_is_named_three_times_as_reports_get_lost() -> None:
    listener = Listener()
    heard(listener, 1, 3, 4, 5, now=1.0)

    named = [at for at, report in reports(listener, until=2.0) if report.gaps]

    assert named == pytest.approx([1.0, 1.040, 1.080])


def test_what_comes_late_leaves_the_gap() -> None:
    listener = Listener()
    heard(listener, 1, 9, 10, 11, now=1.0)

    heard(listener, 4, 5, 8, now=1.001)

    [(_, report), *_] = reports(listener, until=2.0)
    assert report.gaps == (Gap(2, 2), Gap(6, 2))


def test_many_gaps_are_spread_over_reports_that_stay_small() -> None:
    listener = Listener()
    heard(listener, *range(0, 400, 2), now=1.0)

    sizes = [len(report.encode()) for _, report in reports(listener, until=3.0)]

    assert max(sizes) < 450


def test_a_new_keypair_begins_anew() -> None:
    listener = Listener()
    heard(listener, 1, 5, 6, 7, now=1.0)

    listener.on_heard(2, 1, 4, 1.0, is_data=True)

    assert [report.gaps for _, report in reports(listener, until=2.0)] == [()]


def test_a_peer_that_leaps_far_ahead_costs_nothing() -> None:
    listener = Listener()
    heard(listener, 1, 2, now=1.0)

    heard(listener, 2**59, now=1.0)

    assert [report.gaps for _, report in reports(listener, until=2.0)] == [()]


@given(
    st.integers(0, 0xFFFF),
    st.integers(2**20, 2**60),
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(1, 100)), max_size=64),
)
def test_a_report_arrives_as_it_was_written(
    session: int, highest: int, gaps: list[tuple[int, int]]
) -> None:
    named = tuple(Gap(highest - back - count + 1, count) for back, count in gaps)
    report = Hearing(session, highest, 7, 0.0125, named)

    decoded = decode_hearing(report.encode())

    assert decoded is not None
    assert (decoded.session, decoded.highest, decoded.gaps) == (session, highest, named)
    assert decoded.delay == pytest.approx(0.0125)


@given(st.binary(max_size=100))
def test_any_bytes_are_decoded_or_refused_and_never_raise(body: bytes) -> None:
    report = decode_hearing(body)

    assert report is None or all(gap.first >= 0 and gap.count > 0 for gap in report.gaps)


# -- suspicion


def test_a_leg_silent_about_its_data_is_suspect_after_100_ms_or_more() -> None:
    suspicion = Suspicion()
    suspicion.on_data_sent(5, 1.0)

    assert not suspicion.is_suspect(1.099, patience=0.001)
    assert suspicion.is_suspect(1.100, patience=0.001)
    assert not suspicion.is_suspect(1.139, patience=0.080)
    assert suspicion.is_suspect(1.141, patience=0.080)


def test_a_leg_without_data_is_never_suspect() -> None:
    assert not Suspicion().is_suspect(1e9, PATIENCE)


def test_a_report_of_all_that_was_sent_ends_the_waiting() -> None:
    suspicion = Suspicion()
    suspicion.on_data_sent(5, 1.0)

    suspicion.on_report(5, 1.05)

    assert not suspicion.is_suspect(9.0, PATIENCE)


def test_a_report_of_a_part_gives_more_time() -> None:
    suspicion = Suspicion()
    suspicion.on_data_sent(5, 1.0)

    suspicion.on_report(4, 1.05)

    assert not suspicion.is_suspect(1.149, PATIENCE)
    assert suspicion.is_suspect(1.151, PATIENCE)


def test_an_echo_counts_by_when_its_probe_was_sent() -> None:
    before, after = Suspicion(), Suspicion()
    for suspicion in (before, after):
        suspicion.on_data_sent(5, 1.0)

    before.on_echo(0.99, 1.05)
    after.on_echo(1.01, 1.05)

    assert before.is_suspect(1.2, PATIENCE)
    assert not after.is_suspect(9.0, PATIENCE)
