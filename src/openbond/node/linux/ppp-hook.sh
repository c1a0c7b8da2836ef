#!/bin/sh
# Started by pppd when a line is up (CONNECT_TIME is not set yet) or down: puts what was agreed where
# the agent looks for it. It changes nothing else: routes are the agent's work, and name servers of
# the provider are not asked for. Arguments: interface, tty, speed, own address, peer's, the file.
set -eu
umask 022
line=${6:?no file named}
mkdir -p "${line%/*}"

if [ -n "${CONNECT_TIME:-}" ]; then
    rm -f "$line"
    exit 0
fi
cat >"$line.new" <<LINE
{"interface": "$1", "ip": "$4", "prefix": 32, "gateway": "$5"}
LINE
mv "$line.new" "$line"
