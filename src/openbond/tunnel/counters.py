"""The counters of a tunnel end, by name (behaviour 2.16). All count since the daemon's start.

Datagrams and octets are those of the outer IP packets; `inner_` counts customers' octets as the TUN
device saw them. Drops have the names of `drops.Drop` behind `dropped_`, and three of our own:
`dropped_queue_full` and `dropped_no_leg` (datagrams), and `dropped_test` (reads of the TUN device
that a speed test kept back).
"""

LEG_COUNTERS = (
    "sent_datagrams",
    "sent_octets",
    "received_datagrams",
    "received_octets",
    "repaired",  # lost datagrams of any leg that were sent again over this one
    "late",  # packets that came over this leg after their hold had ended
    "handshakes",
    "roamings",
    "rtts",  # round trips measured
    "rtt_us",  # their sum
    "rtt_squares",  # the sum of their squares, in units of 1e-9 s²
)
BOND_COUNTERS = (
    "inner_sent_octets",
    "inner_received_octets",
    "held",  # packets that had to wait for an earlier one
    "duplicates",
    "copies",  # datagrams of duplicate mode beyond the first of each
    "ecn_marked",  # marked "congestion experienced" where others were dropped (`queue_full`)
)
DROPPED = "dropped_"
