from pathlib import Path

from openbond.server.project.state import create_secrets, read_secrets


def test_secrets_are_made_once_for_nobody_else_to_read(tmp_path: Path) -> None:
    create_secrets(tmp_path)
    first = read_secrets(tmp_path)
    create_secrets(tmp_path)

    assert read_secrets(tmp_path) == first
    assert first.are_kept
    files = list((tmp_path / "secrets").iterdir())
    assert len(files) == 2
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_without_kept_secrets_every_process_has_its_own(tmp_path: Path) -> None:
    one, other = read_secrets(tmp_path), read_secrets(tmp_path)

    assert not one.are_kept
    assert one.django_key != other.django_key
    assert one.field_key != other.field_key
