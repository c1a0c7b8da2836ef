"""What every test of the server stands on: the chosen database, and one small world."""

import os
from collections.abc import Iterator
from datetime import datetime

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Browser

from tests.chromium import find_chromium, open_chromium
from tests.databases import CHOICE, begin_run, databases_for_tests, drop_databases, end_run, use
from tests.replay import replayed
from tests.world import World, create_world

ON_REAL_KERNELS = ("netns", "e2e", "browser")
# Whoever has none of these is kept from every database.
DATABASE = {"db", "transactional_db", "django_db_setup"}


def pytest_configure(config: pytest.Config) -> None:
    # argon2 is slow on purpose; a world has several users. That it is the first hasher of the
    # installation has its own test.
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    if not is_worker(config):
        begin_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not is_worker(config):
        end_run()


@pytest.hookimpl(trylast=True)  # after those that mark their tests
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ask_again_on_real_kernels(items)
    leave_out_what_asks_no_database(config, items)


def ask_again_on_real_kernels(items: list[pytest.Item]) -> None:
    """Machines are shared: on real kernels a claim has to hold in nine of ten runs (behaviour 7.1),
    so one that another user of the machine spoilt is asked again; the run says which ones.
    """
    for item in items:
        if any(item.get_closest_marker(name) for name in ON_REAL_KERNELS):
            # Speeds are asked later: a host that takes processors away does so for a while.
            delay = 10 if item.get_closest_marker("speeds") else 5
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=delay))


def leave_out_what_asks_no_database(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL leave out what asks no database: pytest-django has it fail if it did.

    Servers in processes of their own are on SQLite whatever runs here, but for that of the tour.
    """
    if CHOICE == "sqlite":
        return
    left_out = [item for item in items if not asks_a_database(item)]
    items[:] = [item for item in items if asks_a_database(item)]
    config.hook.pytest_deselected(items=left_out)


def asks_a_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", [])
    return item.get_closest_marker("django_db") is not None or not DATABASE.isdisjoint(fixtures)


def is_worker(config: pytest.Config) -> bool:
    """One of several processes, or the one that started them?"""
    return hasattr(config, "workerinput")


def pytest_report_header() -> str:
    return f"database: {os.environ.get('OPENBOND_TEST_DATABASE', 'sqlite')}"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[None]:
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    made = databases_for_tests(directory=tmp_path_factory.mktemp("database"), worker=worker)
    use(made)
    yield
    drop_databases(made)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """They are there already, and end with the run."""
    return True


@pytest.fixture
def world(db: None) -> World:
    made = replayed(create_world)
    # Its rows are as old as the first world; what a test does in it happens now.
    made.now = timezone.now()
    return made


@pytest.fixture
def now(world: World) -> datetime:
    return world.now


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium. It ends with the module: no other loop of asyncio runs beside it."""
    with open_chromium(find_chromium()) as opened:
        yield opened
