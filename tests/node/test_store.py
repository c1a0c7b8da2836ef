import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from openbond.node import store


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    store.write(path, b"old")

    store.write(path, b"new")

    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["file"]


def test_a_private_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"was public")
    path.chmod(0o644)

    store.write(path, b"secret", mode=store.PRIVATE)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    store.write(path, b"old")
    path.with_name(".file.new").mkdir()  # as good as a disk that refuses

    with pytest.raises(OSError, match="directory"):
        store.write(path, b"new")

    assert path.read_bytes() == b"old"


def test_a_value_that_is_none_of_the_kind_is_damage_in_words(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    path.write_bytes(b'{"poll": "x"')

    with pytest.raises(store.Damaged, match=r"numbers\.json is damaged .*: remove it"):
        store.read_value(path, dict[str, int])


def test_a_file_that_is_not_there_is_nothing(tmp_path: Path) -> None:
    assert store.read(tmp_path / "none") is None
    assert store.read_value(tmp_path / "none", int) is None
    store.remove(tmp_path / "none")


WRITER = """
    import sys
    from pathlib import Path
    from openbond.node import store

    number = 0
    while True:
        number += 1
        store.write(Path(sys.argv[1]), (f"{number:08} " * 20_000).encode())
        print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for writes in range(1, 5):
        argv = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(writes):
                writer.stdout.readline()
            writer.kill()

        words = path.read_text().split()

        assert len(words) == 20_000
        assert len(set(words)) == 1
