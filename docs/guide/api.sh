#!/bin/sh
# A tour of the API: every resource of v3, with curl. docs/guide/api.md says how to run it.
#
#   OPENBOND_SERVER  where the server is              https://127.0.0.1:8443
#   OPENBOND_CA      the file of its private CA       /var/lib/openbond/ca/ca.pem
#   OPENBOND_LOGIN   e-mail:password of an administrator of the root space
#
# The tour makes a space named api-tour and works in there; at its end, whatever the end, it deletes
# all that it made. What it finds left of a tour that was killed, it deletes first. It changes nothing
# else: settings and the QoS profile are written back as they were read.
#
# Each request prints a line: its method, the status of the answer, the address. The first answer that
# is not the expected one ends the tour with a message and a status of 1.
set -eu

SERVER=${OPENBOND_SERVER:-https://127.0.0.1:8443}
CA=${OPENBOND_CA:-/var/lib/openbond/ca/ca.pem}
LOGIN=${OPENBOND_LOGIN:-}

TOUR=api-tour           # the name of everything that the tour makes
NETWORK=192.0.2.0/24    # a network kept for documentation (RFC 5737), so it is nobody's

# ------------------------------------------------------------------------------------------ curl
#
# One request, as you would type it:
#
#   curl --cacert ca.pem --user admin@example.net --header 'Content-Type: application/json' \
#        --request PATCH --data '{"note": "moved to rack 7"}' https://SERVER/api/v3/bonds/8/
#
# `ask` is that command. Everything below it is a shorter way to say it.

say()  { printf '%s\n' "$*"; }
stop() { printf '\nThe tour stopped. %s\n' "$*" >&2; exit 1; }

command -v curl >/dev/null || stop "It needs curl: apt-get install curl"
[ -n "$LOGIN" ] || stop "Set OPENBOND_LOGIN to e-mail:password of an administrator of the root space."
[ -r "$CA" ] || stop "Cannot read $CA. Set OPENBOND_CA to the server's ca/ca.pem."

scratch=$(mktemp -d)
body=$scratch/body      # what the last answer said, one line of JSON
head=$scratch/head      # its headers

# The login goes in by a file: in a command line everybody on this machine could read it.
(umask 077; printf 'user = "%s"\ncacert = "%s"\nsilent\nshow-error\n' \
    "$(printf '%s' "$LOGIN" | sed 's/[\\"]/\\&/g')" "$CA" >"$scratch/curl")

# ask STATUS METHOD ADDRESS [JSON]: STATUS is the one that is right, or several: '200|404'.
# An ADDRESS is what follows /api/v3/, or a whole URL as the server gave it.
ask() {
    wanted=$1 method=$2 address=$3
    case $address in
        https://*) ;;
        *) address=$SERVER/api/v3/$address ;;
    esac
    shift 3
    # Two ways of the same command: with a body that is JSON, or with none.
    if [ $# -gt 0 ]; then
        set -- --header 'Content-Type: application/json' --data "$1"
    fi
    status=$(curl --config "$scratch/curl" --request "$method" --dump-header "$head" \
        --output "$body" --write-out '%{http_code}' "$@" "$address") ||
        stop "No answer to $method $address; curl says why above."
    printf '%-7s%s  %s\n' "$method" "$status" "/api/v3/${address#*/api/v3/}"
    case "|$wanted|" in
        *"|$status|"*) ;;
        *) stop "$method $address was answered $status, not $wanted:
$(cut -c1-2000 "$body")" ;;
    esac
}

get()     { ask 200 GET "$@"; }
create()  { ask 201 POST "$@"; made=$(header location); }  # POST, and the URL of what it made
replace() { ask 200 PUT "$@"; }
change()  { ask 200 PATCH "$@"; }
delete()  { ask 204 DELETE "$@"; }
enqueue() { ask 202 POST "$@"; }        # an action that is queued: 202 means heard, not done
act()     { ask 200 POST "$@"; }        # an action that is done at once
refused() { ask 400 "$@"; }             # what the state of things does not allow

answer() { cat "$body"; }
header() { tr -d '\r' <"$head" | sed -n "s/^$1: //Ip"; }
# The value of a number or a word of the last answer, e.g. `field overhead_margin`.
field()  { sed "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/" "$body"; }
# The URLs of a collection in the last answer: a bond's legs have URLs as well, but longer ones.
urls()   { grep -o "\"url\":\"[^\"]*/api/v3/$1/[0-9]*/\"" "$body" | cut -d'"' -f4 | sort -u; }

# What every list takes: a filter, words to search for, an order, pages, and fields left out.
#   list ADDRESS FILTER SEARCH ORDER
list() {
    get "$1"
    get "$1?$2"
    get "$1?search=$3"
    get "$1?ordering=$4"
    get "$1?page_size=1&page=1"
    get "$1?exclude_fields=created,modified"
}

# What every object takes: read it, write it back whole, change one field.
#   object URL JSON
object() {
    get "$1"
    replace "$1" "$(answer)"    # what GET gave can always be PUT back; nothing changes
    change "$1" "$2"
}

# -------------------------------------------------------------------------------------- cleaning

# Delete everything of the tour, in the order in which nothing is still needed.
clean() {
    ask '200|404' GET "spaces/$TOUR-east/"
    [ "$status" = 404 ] || clean_space "$TOUR-east"
    ask '200|404' GET "spaces/$TOUR/"
    [ "$status" = 404 ] || clean_space "$TOUR"
    get "groups/?name=$TOUR"
    for url in $(urls groups); do delete "$url"; done
}

clean_space() {
    delete_all "bonds/?space=$1" bonds      # with its bonder, legs, addresses, tests and tunings
    delete_all "ipallocations/?space=$1&type=delegation" ipallocations
    delete_all "ipallocations/?space=$1" ipallocations
    delete_all "aggregators/?space=$1" aggregators
    delete_all "routinggroups/?space=$1" routinggroups
    delete_all "mobileproviderprofiles/?space=$1" mobileproviderprofiles
    delete_all "users/?space=$1" users
    delete "spaces/$1/"
}

delete_all() {
    get "$1"
    for url in $(urls "$2"); do
        # A bond that is being tuned is locked until the tuning is cancelled.
        if [ "$2" = bonds ]; then cancel_tunings "$url"; fi
        delete "$url"
    done
}

cancel_tunings() {
    bond_url=$1
    for status_now in queued running; do
        get "${bond_url}tuners/?status=$status_now"
        for tuning in $(urls 'bonds/[0-9]*/tuners'); do act "${tuning}cancel/"; done
        get "${bond_url}legs/"
        for leg_id in $(grep -o '_legs/[0-9]*/"' "$body" | tr -dc '0-9\n' | sort -u); do
            get "${bond_url}legs/$leg_id/tuners/?status=$status_now"
            for tuning in $(urls 'bonds/[0-9]*/legs/[0-9]*/tuners'); do act "${tuning}cancel/"; done
        done
    done
}

finish() {
    result=$?
    trap - EXIT
    if [ "$result" -ne 0 ] && [ "$started" = yes ]; then
        say ''
        say '# Deleting what the tour made'
        (clean) || say "Something is left over; the next tour deletes it."
    fi
    rm -rf "$scratch"
    exit "$result"
}
started=no
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ------------------------------------------------------------------------------------------ door

say '# Who am I, and what is there?'
get ''                          # the index: the name and the URL of every resource
get self/
get permissions/                # every permission code, in words
started=yes
clean                           # what an earlier tour left over

# ---------------------------------------------------------------------------------------- people

say '# A space is a tenant; spaces form a tree'
get 'spaces/?level=0'
root=$(urls spaces)
create spaces/ "{\"name\": \"API tour\", \"key\": \"$TOUR\", \"parent\": \"$root\",
    \"use_parent_aggregators\": true, \"use_parent_qos_profiles\": true,
    \"use_parent_mobile_provider_profiles\": true}"
space=$made
create spaces/ "{\"name\": \"API tour east\", \"key\": \"$TOUR-east\", \"parent\": \"$space\"}"
east=$made
list spaces/ "key=$TOUR" "api+tour" "-name,key"
object "$space" '{"note": "may be deleted at any time"}'
get "spaces/$TOUR/"             # its key is as good as its id

say '# A group gives permissions, a user has groups and a home space'
create groups/ "{\"name\": \"$TOUR\", \"permissions\": [\"view_bond\", \"view_leg\"]}"
group=$made
list groups/ "name=$TOUR" "$TOUR" "-user_count"
object "$group" '{"permissions": ["view_bond", "view_leg", "add_speedtest"]}'
create users/ "{\"email\": \"$TOUR@example.net\", \"space\": \"$space\", \"groups\": [\"$group\"],
    \"password\": \"$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')\"}"
user=$made
list users/ "email=$TOUR@example.net" "$TOUR" "-email"
object "$user" '{"first_name": "Tour", "role": "api"}'

# ----------------------------------------------------------------------------------------- fleet

say '# A routing group is a place where public addresses are routed; an aggregator stands in one'
create routinggroups/ "{\"name\": \"$TOUR\", \"space\": \"$space\"}"
place=$made
list routinggroups/ "name=$TOUR" "$TOUR" "-name"
object "$place" '{"note": "the data centre of the tour"}'
create aggregators/ "{\"name\": \"$TOUR-1\", \"ip\": \"192.0.2.253\", \"space\": \"$space\",
    \"routing_group\": \"$place\"}"
first=$made
create aggregators/ "{\"name\": \"$TOUR-2\", \"ip\": \"192.0.2.254\", \"space\": \"$space\",
    \"routing_group\": \"$place\"}"
second=$made
list aggregators/ "name=$TOUR-1" "$TOUR" "-name,ip"
object "$first" '{"note": "rack 7"}'

say '# Which addresses a space may use, and where they are valid'
create ipallocations/ "{\"network\": \"$NETWORK\", \"space\": \"$space\"}"
allocation=$made
list ipallocations/ "network=$NETWORK" "192.0.2" "-network"
object "$allocation" '{"note": "for the tour"}'
create "${allocation}assigned_routing_groups/" "{\"routing_group\": \"$place\"}"
assigned=$made
get "${allocation}assigned_routing_groups/?page_size=1"
get "$assigned"
delete "$assigned"
create "${allocation}assigned_routing_groups/" "{\"routing_group\": \"$place\"}"

say '# The same below a space: what it owns, and what its parent gave it'
create "spaces/$TOUR/ip_allocations/" '{"network": "198.18.255.0/24"}'
own=${space}ip_allocations/${made##*ipallocations/}
list "spaces/$TOUR/ip_allocations/" network=198.18.255.0/24 198.18 -network
object "$own" '{"note": "not needed"}'
delete "$own"
create "spaces/$TOUR-east/delegated_ip_allocations/" '{"network": "192.0.2.192/27"}'
given=${east}delegated_ip_allocations/${made##*ipallocations/}
list "spaces/$TOUR-east/delegated_ip_allocations/" network=192.0.2.192/27 192.0.2 -network
object "$given" '{"note": "for the east"}'
delete "$given"

# --------------------------------------------------------------------------------------- profiles

say '# QoS profiles are made on the command line (openbond server qos-profile); here they are used'
list qos/ is_default=true default -bond_count
qos=$(urls qos | head -n 1)
[ -n "$qos" ] || stop "There is no QoS profile. Make one: openbond server qos-profile load FILE"
get "$qos"
margin=$(field overhead_margin)
object "$qos" "{\"overhead_margin\": $margin}"

say '# A mobile provider profile holds an APN and its login'
create mobileproviderprofiles/ "{\"name\": \"$TOUR\", \"apn\": \"internet.example\", \"space\": \"$space\"}"
provider=$made
list mobileproviderprofiles/ "name=$TOUR" "$TOUR" "-apn"
object "$provider" '{"apn": "business.example"}'

# ------------------------------------------------------------------------------------------ bonds

say '# A bond: one customer site. Its bonder, the device there, is made with it'
create bonds/ "{\"name\": \"$TOUR\", \"space\": \"$space\", \"aggregator\": \"$first\",
    \"secondary_aggregator\": \"$second\", \"qos_profile\": \"$qos\"}"
bond=$made
list bonds/ "space=$TOUR" "$TOUR" "-download_rate,name"
object "$bond" '{"compression": true, "note": "made by the tour"}'
change "$bond?exclude_fields=leg_list,connectedips,cpenatips,routes" '{"product": "Dual 50"}'
etag=$(header etag)
say "# Its ETag is $etag: sent as If-Match, a write that somebody else overtook is refused with 412"
get "${first}bonds/"
get "${second}bonds_secondary/"
get "${first}bonds_current/"
get "${qos}bonds/?space=$TOUR"
refused DELETE "$qos"           # in use: a bond has it

say '# Its bonder. The key enrols the machine: openbond node enroll --key'
list bonders/ "name=$TOUR" "$TOUR" "-last_connected"
get "bonders/?name=$TOUR"
bonder=$(urls bonders)
object "$bonder" '{"serial_number": "SN-00412"}'
list nodes/ "name=$TOUR" "$TOUR" "-type"
get "nodes/${bonder##*bonders/}"        # bonders and aggregators together

# ------------------------------------------------------------------------------------------- legs

say '# Legs: the lines of the site, in four kinds'
create "${bond}dhcp_legs/" '{"interface": "eth1", "down_speed": 50, "up_speed": 9.5}'
dhcp=$made
create "${bond}static_legs/" '{"interface": "eth2.20", "ip": "198.51.100.86",
    "netmask": "255.255.255.252", "gateway": "198.51.100.85", "down_speed": 15, "up_speed": 2}'
static=$made
create "${bond}pppoe_legs/" '{"interface": "eth3", "username": "line7@isp.example",
    "password": "secret7", "down_speed": 25, "up_speed": 5}'
pppoe=$made
create "${bond}mobilebroadband_legs/" "{\"provider_profile\": \"$provider\", \"failover\": true,
    \"down_speed\": 100, \"up_speed\": 20}"
mobile=$made
for leg in "$dhcp" "$static" "$pppoe" "$mobile"; do
    list "${leg%/*/}/" link_mode=active eth -down_speed
    object "$leg" '{"note": "line 7"}'
    change "$leg" '{"link_mode": "idle"}'       # out of the bond, still there for tests
    change "$leg" '{"link_mode": "active"}'
    enqueue "${leg}detect_mtus/"
    get "${leg}state_history/"
done
enqueue "${dhcp}renew/"           # give the lease up and ask anew

say '# All legs together, to read; and what is done to any of them'
list "${bond}legs/" type=dhcp eth -type
leg=${bond}legs/${dhcp##*dhcp_legs/}
get "$leg"
enqueue "${leg}detect_mtus/"
get "${leg}state_history/?ordering=-start"

# -------------------------------------------------------------------------------------- addresses

say "# Addresses at the customer's side"
create "${bond}connected_ips/" '{"interface": "eth0", "ip": "192.168.10.1/24"}'
connected=$made
list "${bond}connected_ips/" enabled=true 192.168 -ip
object "$connected" '{"note": "office"}'
create "${bond}cpe_nat_ips/" '{"ip": "192.0.2.9", "dest_nat_ip": "192.168.10.2"}'
nat=$made
list "${bond}cpe_nat_ips/" enabled=true 192.0.2 -ip
object "$nat" '{"enabled": false}'
create "${bond}routes/" '{"network": "192.168.20.0/24", "gateway": "192.168.10.254"}'
route=$made
list "${bond}routes/" enabled=true 192.168 -network
object "$route" '{"enabled": false}'
refused DELETE "$connected"     # the NAT IP and the route need its network

# ------------------------------------------------------------------------------------- measuring

say '# Speed tests wait for the nodes'
create "${bond}speedtests/" '{"protocol": "udp", "direction": "upload", "length": 5}'
list "${bond}speedtests/" protocol=udp upload -submitted
get "$made"

say '# A tuning locks its bond; until it has ended there is nothing to accept'
for tuned in "$bond" "$leg"; do
    create "${tuned}tuners/"
    tuning=$made
    list "${tuned}tuners/" status=queued '' -submitted
    get "$tuning"
    refused PATCH "$bond" '{"compression": false}'      # locked
    act "${tuning}cancel/"
    refused POST "${tuning}accept/"
    refused POST "${tuning}decline/"
done
get "${bond}downtime_prevented/"

say '# What is done to a bond'
enqueue "${bond}restart/"
enqueue "${bond}detect_leg_mtus/"
act "${bond}restore_to_primary_agg/"

# --------------------------------------------------------------------------------- a bad request

say '# A bad request names the field and what to do'
refused POST "${bond}dhcp_legs/" '{"interface": "lo"}'
answer; say ''
ask 404 GET bonds/999999999/
answer; say ''

# ---------------------------------------------------------------------------------- the server

say '# Counts of a space, alone and with all below it'
get "spaces/$TOUR/statistics/"
for counted in users bonds qos_profiles speed_tests aggregators connected_ips routes cpe_nat_ips legs \
    bonders; do
    get "spaces/$TOUR/statistics/$counted/"
done

say '# The server itself'
for part in '' status/ status/configupdates/ status/downtime_prevented/ status/bondingversion/ \
    status/repositories/ status/tlsinfo/ status/aggfailover/ status/backups/ tasks/ versions/ timezones/ isos/; do
    get "system/$part"
done
list system/mobilebroadbandproviderapns/ country=DE telekom -provider
ask '200|404' GET system/status/backups/latest-backup/     # a zip file; 404 before the first night
enqueue system/tasks/createisos/

say '# Settings: read, written back, one of them changed to what it was'
get settings/
retention=$(field backup_retention)
replace settings/ "$(answer)"
change settings/ "{\"backup_retention\": $retention}"

# ------------------------------------------------------------------------------------------ ending

say '# Deleting one by one; DELETE of the bond would take its parts along'
for part in "$route" "$nat" "$connected" "$mobile" "$pppoe" "$static" "$dhcp"; do delete "$part"; done
delete "$bond"
delete "$provider"
get "${allocation}assigned_routing_groups/"
delete "$allocation"
delete "$second"
delete "$first"
delete "$place"
delete "$user"
delete "$group"
delete "$east"
delete "$space"
ask 404 GET "$space"            # gone

say ''
say 'The tour is over; nothing of it is left.'
