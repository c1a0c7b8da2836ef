"""What a newcomer is told once the lab is up: where to look, and what to try."""

import shutil
import sys

from .life import Lab


def tour(lab: Lab) -> str:
    """Return the words, with commands that can be pasted."""
    record, directory = lab.record, lab.directory
    password = directory.password
    option = "" if directory.name == "demo" else f" --name {directory.name}"
    curl = f"curl --cacert {directory.ca_file} -u '{record.email}:{password}'"
    openbond = "openbond" if shutil.which("openbond") else sys.argv[0]
    bond = f"{record.url}/api/v3/bonds/{record.bond_id}/"
    return f"""\
[bold]Where to look[/]
  site         {record.url}/
  API          {record.url}/api/v3/
  login        {record.email}  {password}
  files, logs  {directory.path}

[bold]What to try[/]
  {openbond} lab status{option}  # the legs, live
  {openbond} lab speed{option}  # the bond against its best leg
  {openbond} lab cut 3{option}  # pull the fibre; then: {openbond} lab mend 3{option}
  {openbond} lab shape 1 --loss 5 --delay 60{option}
  {openbond} lab exec{option} customer ping 198.18.0.2
  {openbond} lab reboot bonder{option}
  {openbond} lab down{option}  # end it; nothing remains

  {curl} {bond}
  {curl} -X PATCH -H 'Content-Type: application/json' \\
       -d '{{"link_mode": "idle"}}' {bond}static_legs/1/
"""
