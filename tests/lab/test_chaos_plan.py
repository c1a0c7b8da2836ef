"""The order of the chaos suite: a pure function of the seed that leaves nothing out."""

from itertools import combinations

from openbond.lab.chaos.plan import Step, Trouble, plan_steps

LEGS = (1, 2, 3)
ALL = [
    (trouble, some)
    for trouble in Trouble
    for size in (1, 2, 3)
    for some in combinations(LEGS, size)
]


def planned(seed: int, steps: int) -> list[Step]:
    return list(plan_steps(seed=seed, steps=steps, legs=LEGS))


def test_the_same_seed_gives_the_same_steps_and_another_seed_others() -> None:
    assert planned(7, 200) == planned(7, 200)
    assert planned(7, 200) != planned(8, 200)


def test_every_set_of_legs_meets_every_trouble_before_any_comes_again() -> None:
    steps = planned(7, 2 * len(ALL))

    first, second = steps[: len(ALL)], steps[len(ALL) :]
    for half in (first, second):
        assert sorted((step.trouble.value, step.legs) for step in half) == sorted(
            (trouble.value, some) for trouble, some in ALL
        )


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    assert planned(7, 200)[:20] == planned(7, 20)


def test_some_steps_begin_from_a_whole_bond_and_some_from_a_broken_one() -> None:
    assert {step.from_whole for step in planned(7, 50)} == {True, False}
    assert planned(7, 1)[0].from_whole


def test_a_step_says_what_it_does() -> None:
    step = Step(number=3, trouble=Trouble.DEAD_UP, legs=(1, 3), from_whole=False)

    assert step.words() == "dead up on leg 1 and leg 3, the step before mended in the same moment"
