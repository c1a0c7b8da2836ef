"""Where a bond runs (api-v3 02-bonds, rules 1, 4, 6; behaviour 6.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.server.bonds.rules.running import aggregator_after_change, first_aggregator

A, B, C, D = 1, 2, 3, 4
some = st.integers(1, 4)


@pytest.mark.parametrize(
    ("failed", "secondary", "wanted"), [(False, B, A), (True, B, B), (True, None, A)]
)
def test_a_new_bond_starts_on_its_primary_unless_that_has_failed(
    failed: bool, secondary: int | None, wanted: int
) -> None:
    assert first_aggregator(primary=A, primary_failed=failed, secondary=secondary) == wanted


@pytest.mark.parametrize(
    ("current", "old", "new", "failed", "wanted"),
    [
        pytest.param(A, (A, B), (C, B), False, C, id="primary changed while on it: moves at once"),
        pytest.param(A, (A, B), (C, B), True, C, id="also to a failed one"),
        pytest.param(B, (A, B), (C, B), False, B, id="primary changed while away: stays"),
        pytest.param(B, (A, B), (A, C), False, A, id="left its secondary, primary well: home"),
        pytest.param(B, (A, B), (A, C), True, C, id="left its secondary, primary failed: on"),
        pytest.param(B, (A, B), (A, None), True, A, id="lost its secondary: home"),
        pytest.param(B, (A, B), (B, None), False, B, id="secondary became primary: stays"),
        pytest.param(B, (A, B), (B, A), False, B, id="swapped while away: stays"),
        pytest.param(A, (A, B), (B, A), False, B, id="swapped while home: moves"),
        pytest.param(A, (A, None), (A, B), True, A, id="new secondary: failover moves it later"),
    ],
)
def test_a_change_of_aggregators_moves_a_bond(
    current: int,
    old: tuple[int, int | None],
    new: tuple[int, int | None],
    failed: bool,
    wanted: int,
) -> None:
    runs_on = aggregator_after_change(
        current=current,
        old_primary=old[0],
        old_secondary=old[1],
        primary=new[0],
        secondary=new[1],
        primary_failed=failed,
    )

    assert runs_on == wanted


@given(some, st.none() | some, st.booleans(), some, st.none() | some, st.booleans())
def test_a_bond_never_runs_on_an_aggregator_that_is_neither(
    old_primary: int,
    old_secondary: int | None,
    away: bool,
    primary: int,
    secondary: int | None,
    failed: bool,
) -> None:
    current = old_secondary if away and old_secondary is not None else old_primary

    runs_on = aggregator_after_change(
        current=current,
        old_primary=old_primary,
        old_secondary=old_secondary,
        primary=primary,
        secondary=secondary,
        primary_failed=failed,
    )

    assert runs_on in (primary, secondary)
