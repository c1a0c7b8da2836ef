"""The permission codes, their printable names, and the groups that installation makes.

The list is that of api-v3 00-general 10; later versions may add codes, never take one away.
"""

_KINDS: list[tuple[str, str, str]] = [
    ("bond", "bond", "view add change delete"),
    ("bonder", "bonder", "view change"),
    ("bonder_credentials", "bonder credentials", "view change"),
    ("leg", "leg", "view add change delete"),
    ("connectedip", "connected IP", "view add change delete"),
    ("cpenatip", "CPE NAT IP", "view add change delete"),
    ("route", "route", "view add change delete"),
    ("speedtest", "speed test", "view add"),
    ("tuner", "tuner", "view add change"),
    ("aggregator", "aggregator", "view add change delete"),
    ("aggregator_credentials", "aggregator credentials", "view change"),
    ("routinggroup", "routing group", "view add change delete"),
    ("ipallocation", "IP allocation", "view add change delete"),
    ("qosprofile", "QoS profile", "view add change delete"),
    ("mobileproviderprofile", "mobile provider profile", "view add change delete"),
    ("user", "user", "view add change delete"),
    ("group", "group", "view add change delete"),
    ("space", "space", "view add change delete"),
    ("space_branding", "space branding", "change"),
    ("settings", "settings", "view change"),
    ("systemstatus", "system status", "view"),
    ("systemtask", "system task", "run"),
    ("backup", "backup", "view"),
]

PERMISSIONS: dict[str, str] = {
    f"{verb}_{noun}": f"{verb.capitalize()} {words}"
    for noun, words, verbs in _KINDS
    for verb in verbs.split()
}

ALL_CODES = frozenset(PERMISSIONS)

ADMINISTRATOR = "Administrator"

_CREDENTIALS = frozenset(code for code in ALL_CODES if code.endswith("_credentials"))


def _write(*nouns: str) -> frozenset[str]:
    return frozenset(f"{verb}_{noun}" for noun in nouns for verb in ("add", "change", "delete"))


_TUNING = frozenset({"add_speedtest", "add_tuner", "change_tuner"})

# Codes of the default groups. Administrator holds every code, those of later versions included,
# by a flag of the group and not by this list.
DEFAULT_GROUPS: dict[str, frozenset[str]] = {
    ADMINISTRATOR: frozenset(),
    "Restricted admin": ALL_CODES
    - _CREDENTIALS
    - _write("group")
    - {"view_settings", "change_settings", "view_backup", "run_systemtask"},
    "Bond admin": _write(
        "bond", "leg", "connectedip", "cpenatip", "route", "qosprofile", "mobileproviderprofile"
    )
    | _TUNING
    | {"change_bonder"},
    "Branding admin": frozenset({"change_space_branding"}),
    "Leg admin": _TUNING | _write("mobileproviderprofile") | {"change_leg"},
    "Management admin": frozenset(
        {
            "view_settings",
            "change_settings",
            "view_systemstatus",
            "run_systemtask",
            "view_backup",
        }
    ),
    "Network admin": _write("aggregator", "routinggroup", "ipallocation")
    | {"view_aggregator_credentials", "change_aggregator_credentials"},
    "View": frozenset(code for code in ALL_CODES if code.startswith("view_"))
    - _CREDENTIALS
    - {"view_settings", "view_backup"},
}
