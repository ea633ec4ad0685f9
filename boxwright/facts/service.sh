# shellcheck shell=sh disable=SC2154  # its variables are set by the fact
# The unit $unit, its main process, and who listens on TCP $port.
LC_ALL=C
export LC_ALL

# What systemd says, as `show key value` lines; the main process in $pid.
show_unit() {
    pid=0
    keys=LoadState,ActiveState,SubState,Result,MainPID,NeedDaemonReload,UnitFileState
    keys=$keys,ExecMainStartTimestampMonotonic
    answer=$(systemctl show --property="$keys" "$unit")
    while IFS='=' read -r key value; do
        printf 'show\t%s\t%s\n' "$key" "$value"
        [ "$key" != MainPID ] || pid=${value:-0}
    done <<END
$answer
END
}

show_process() {
    printf 'exe\t%s\n' "$(readlink "/proc/$pid/exe")"
    tr '\0\n' '\n ' <"/proc/$pid/environ" | sed -n 's/^BOXWRIGHT_CONFIG=/config	/p'
    awk '
        function hex(text,    i, value) {
            for (i = 1; i <= length(text); i++)
                value = value * 16 + index("123456789abcdef", substr(text, i, 1))
            return value
        }
        function size(range,    ends) {
            split(range, ends, "-")
            return hex(ends[2]) - hex(ends[1])
        }
        /^(VmLck|VmPin|VmRSS|CapEff):/ { sub(/:/, "", $1); print "status\t" $1 "\t" $2 }
        /^Max locked memory/ { print "memlock\t" $4 }
        # Host memory that the driver pinned; its managed memory (nvidia-uvm) may move.
        $6 ~ /^\/dev\/nvidia/ && $6 !~ /uvm/ { device += size($1) }
        $6 == "/dev/zero" { zero += size($1) }
        END { printf "mapped\t%d\t%d\n", device / 1048576, zero / 1048576 }
    ' "/proc/$pid/status" "/proc/$pid/limits" "/proc/$pid/maps"
}

# `address inode` of each listening socket, as a URL writes the address; IPv4 first.
listeners() {
    set -- /proc/net/tcp
    [ ! -r /proc/net/tcp6 ] || set -- "$@" /proc/net/tcp6
    awk -v port=":$(printf %04X "$port")" '
        function digit(i) { return index("123456789ABCDEF", substr(words, i, 1)) }
        function byte(i) { return 16 * digit(i) + digit(i + 1) }
        function pair(at) { return sprintf("%x", byte(at + 2) * 256 + byte(at)) }
        function four(at) { return byte(at + 6) "." byte(at + 4) "." byte(at + 2) "." byte(at) }
        function six(    at, out) {
            for (at = 1; at < 32; at += 8)
                out = out (at > 1 ? ":" : "") pair(at + 4) ":" pair(at)
            return out
        }
        $4 == "0A" && substr($2, length($2) - 4) == port {
            words = substr($2, 1, length($2) - 5)
            if (length(words) == 8) address = four(1)
            else if (words ~ /^0000000000000000FFFF0000/) address = four(25)
            else if (words ~ /^0+$/) address = "[::1]"
            else address = "[" six() "]"
            print (address == "0.0.0.0" ? "127.0.0.1" : address), $10
        }' "$@"
}

# The first process that holds one of the sockets `[inode][inode]…`; the others are asked only if
# the service's own process does not.
owner_of() {
    { ls -ln "/proc/$pid/fd" /dev/null; } | holder "$1" && return
    # shellcheck disable=SC2012  # only find of GNU can print what a link says
    ls -ln /proc/[0-9]*/fd | holder "$1"
}

holder() {
    awk -v inodes="$1" '
        /^\/proc\/[0-9]+\/fd:$/ { split($0, part, "/"); holder = part[3] }
        /socket:\[[0-9]+\]$/ {
            socket = $NF
            sub(/^socket:/, "", socket)
            if (index(inodes, socket)) { print holder; found = 1; exit }
        }
        END { exit !found }'
}

show_port() {
    sockets=$(listeners)
    [ -n "$sockets" ] || return 0
    inodes='' address=''
    while read -r where inode; do
        inodes="${inodes}[$inode]"
        : "${address:=$where}"
    done <<END
$sockets
END
    owner=$(owner_of "$inodes")
    command=
    [ -z "$owner" ] || read -r command <"/proc/$owner/comm"
    printf 'port\t%s\t%s\t%s\n' "${owner:-0}" "${command:-unknown}" "$address"
    printf 'health\t%s\n' "$(curl --silent --output /dev/null --write-out '%{http_code}' \
        --noproxy '*' --globoff --max-time 5 "http://$address:$port/health")"
}

show_service() {
    show_unit
    [ "$pid" = 0 ] || show_process
    show_port
}
show_service 2>/dev/null | encode
