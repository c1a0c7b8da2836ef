"""The core's routing daemon where BIRD 2 is installed; else core_routes.py stands in for it.

The core takes from each aggregator, by BGP, the networks of the bonds that it has. While two tell
of one, the one that had it keeps it, so a planned move has no gap.
"""

import shutil

from .layout import AGGREGATORS, CORE
from .netns import Namespace
from .programs import Programs
from .registry import LabDirectory

CORE_AS, AGGREGATORS_AS = 64_500, 64_512
PATH = "/usr/sbin:/usr/bin:/usr/local/sbin"


def find_bird() -> str:
    """Return the path of BIRD, "" when it is not installed."""
    return shutil.which("bird", path=PATH) or ""


def aggregator_lines() -> str:
    """Return what bonding.conf of an aggregator says of the core."""
    return f"routing = bgp\nbgp_as = {AGGREGATORS_AS}\nbgp_neighbors = {CORE} as {CORE_AS}\n"


def core_config() -> str:
    """Return the configuration of the core's BIRD."""
    lines = [
        "log stderr all;",
        f"router id {CORE};",
        "protocol device { scan time 10; }",
        "protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }",
        'protocol bfd { interface "*" { interval 300 ms; multiplier 3; }; }',
    ]
    for one in AGGREGATORS:
        lines += [
            f"protocol bgp {one.host} {{",
            f"  local {CORE} as {CORE_AS};",
            f"  neighbor {one.ip} as {AGGREGATORS_AS};",
            "  hold time 9; keepalive time 3; connect delay time 1; error wait time 1, 2; bfd on;",
            "  prefer older on;",
            "  ipv4 { import all; export none; };",
            "}",
        ]
    return "\n".join(lines) + "\n"


def start_bird(bird: str, core: Namespace, programs: Programs, directory: LabDirectory) -> None:
    """Start the core's BIRD."""
    config, control = directory.path / "core-bird.conf", directory.path / "core-bird.ctl"
    config.write_text(core_config())
    argv = [bird, "-f", "-c", str(config), "-s", str(control)]
    programs.start("core-bird", core.argv(argv))
