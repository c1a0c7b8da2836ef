"""What each setting means, in words; which stand together. Names: api-v3 08-system 9."""

from openbond.server.web.objects.declaring import Group, Sheet

# Lists of texts: one in each line of an area.
LINES = frozenset({"known_hosts", "email_recipients"})
NETWORKS = ("tunnel_network", "management_network")

SETTINGS = Sheet(
    key="settings",
    route="system/settings/",
    title="Settings",
    one="Settings",
    about="Of the whole installation. A change acts without a restart.",
    columns=(),
    kind="settings",
    groups=(
        Group(
            "Failover checks",
            ("failover_interval", "failover_receive_timeout", "failover_retries"),
        ),
        Group(
            "What keeps bonds from being moved",
            (
                "maintenance_mode",
                "known_hosts_enabled",
                "known_hosts",
                "allow_suspension",
                "suspension_percentage",
                "failover_ask_bonders",
                "failover_to_primary",
            ),
        ),
        Group(
            "Measuring",
            (
                "metric_collection_interval",
                "metric_reporting_interval",
                "node_status_timeout",
                "prevented_downtime_outage_length",
            ),
        ),
        Group("This server", ("server_hostname", "timezone")),
        Group(
            "Mail",
            (
                "email_from",
                "email_recipients",
                "email_host",
                "email_port",
                "email_security",
                "email_username",
                "email_password",
            ),
        ),
        Group("Keeping", ("backup_retention", "token_max_lifetime")),
        Group("Networks", NETWORKS),
    ),
    helps={
        "failover_interval": "Time between two checks of an aggregator, unless it has its own. "
        "Shorter finds a dead one sooner.",
        "failover_receive_timeout": "How long an answer is waited for. Shorter than the interval.",
        "failover_retries": "So many misses in a row mean that the aggregator has failed.",
        "maintenance_mode": "While it is on, no bond is moved; checks go on.",
        "known_hosts_enabled": "Before bonds move, all known hosts are pinged. If one does not "
        "answer, the server takes its own network to be broken, and moves nothing.",
        "known_hosts": "One IP address or host name in each line. Take hosts beyond the server's "
        "router that are no aggregators.",
        "allow_suspension": "Move nothing while too many aggregators look failed at once: then it "
        "is rather the server that is cut off.",
        "suspension_percentage": "Share of the monitored aggregators that is too many.",
        "failover_ask_bonders": "Do not move a bond whose bonder said within 30 s that its tunnel "
        "to the aggregator is up.",
        "failover_to_primary": "When the secondary fails, too, and the primary is well, move "
        "bonds home by themselves.",
        "metric_collection_interval": "How often a node measures. For nodes made from now on.",
        "metric_reporting_interval": "How often a node reports what it measured. Not shorter than "
        "it measures. For nodes made from now on.",
        "node_status_timeout": "A node that was not heard for so long is down, and what it said "
        "counts no more. Three reporting intervals are a good value.",
        "prevented_downtime_outage_length": "Shorter outages of a leg are not counted as "
        "prevented downtime.",
        "server_hostname": "Where nodes reach this server. The certificate must be good for it.",
        "timezone": "Whose midnight weeks, months and nightly jobs go by.",
        "email_from": "The sender. Empty: no mail is sent.",
        "email_recipients": "One address in each line: told of failed aggregators, alarms, "
        "backups that failed, certificates that end.",
        "email_host": "The mail relay. Try it with: openbond server test-mail ADDRESS",
        "email_security": "starttls is usual at port 587, tls at port 465.",
        "email_username": "Empty: the relay asks for no login.",
        "email_password": "Kept encrypted, shown nowhere.",
        "backup_retention": "Older backups are deleted when a new one was made and read back.",
        "token_max_lifetime": "Longest life of an API token. Acts on tokens made from now on.",
        "tunnel_network": "Tunnel addresses are taken from it. Set at installation.",
        "management_network": "The management VPN. Set at installation.",
    },
)
