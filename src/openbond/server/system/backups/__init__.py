"""Backups: one zip with database, authority, secrets and TLS files (behaviour 6.6).

archive.py     the zip: its manifest, and whether it is whole
databases.py   one consistent moment of the database, out and in again
keeping.py     make one, check it, keep some
restoring.py   from a zip to a blank server
"""

from .archive import BackupDamaged
from .keeping import Backup, kept_backups, make_backup
from .restoring import RestoreRefused, restore_database, restore_files

__all__ = [
    "Backup",
    "BackupDamaged",
    "RestoreRefused",
    "kept_backups",
    "make_backup",
    "restore_database",
    "restore_files",
]
