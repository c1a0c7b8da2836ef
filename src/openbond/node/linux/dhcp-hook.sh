#!/bin/sh
# Started by udhcpc: puts the lease where the agent looks for it. It changes nothing else: addresses
# and routes are the agent's work. OPENBOND_LEASE names the file; $PPID is the client.
set -eu
umask 022
mkdir -p "${OPENBOND_LEASE%/*}"

quoted() { # "a b" -> "a","b"
    separator=""
    for word in $1; do printf '%s"%s"' "$separator" "$word"; separator=","; done
}

first() { echo "${1:-}"; }

case "${1:-}" in
bound | renew)
    # shellcheck disable=SC2086  # the client separates several routers by blanks
    cat >"$OPENBOND_LEASE.new" <<LEASE
{"ip": "$ip", "prefix": ${mask:-24}, "obtained": $(date +%s), "seconds": ${lease:-3600},
 "gateway": "$(first ${router:-})", "server": "${serverid:-}",
 "name_servers": [$(quoted "${dns:-}")], "client": $PPID}
LEASE
    mv "$OPENBOND_LEASE.new" "$OPENBOND_LEASE"
    ;;
deconfig | nak)
    # A client that has just started says this too: then the lease of the one before still counts
    # until it expires.
    if grep -q "\"client\": $PPID}" "$OPENBOND_LEASE" 2>/dev/null; then rm -f "$OPENBOND_LEASE"; fi
    ;;
esac
