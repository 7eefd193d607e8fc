# The first process of a guest. It mounts what programs expect, runs /lab/command, and sends what
# that writes, and its exit status, over the channel, whose frames lkm.lab.channel describes.
#
# /lab/settings has: channel, terminal (devices), interactive (1 or empty).

export PATH=/usr/sbin:/usr/bin
. /lab/settings

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
echo lab >/proc/sys/kernel/hostname
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
# Not every kernel has these.
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
# From here on the kernel may ask for modules.
[ ! -e /lab/modprobe ] || mv /lab/modprobe /usr/sbin/modprobe
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr

stty -F "$channel" raw -echo
exec 8>"$channel"

# Whoever holds the token may send a frame.
mkfifo /lab/token
exec 9<>/lab/token
echo >&9

# send KIND FILE
send() {
    read -r _ <&9
    printf '%s %d\n' "$1" "$(wc -c <"$2")" >&8
    cat "$2" >&8
    echo >&9
}

# say KIND TEXT
say() {
    printf %s "$2" >"/lab/$1"
    send "$1" "/lab/$1"
}

# pump KIND: send stdin, each piece as soon as it is there
pump() {
    while dd bs=65536 count=1 of="/lab/$1" 2>/dev/null && [ -s "/lab/$1" ]; do
        if [ "$(wc -c <"/lab/$1")" -gt 512 ]; then
            gzip -c "/lab/$1" >"/lab/$1z"
            send "$1z" "/lab/$1z"
        else
            send "$1" "/lab/$1"
        fi
    done
}

newline='
'

# Answer what the host asks.
answer() {
    while read -r word rows columns <&7; do
        case $word in
        size) stty -F "$terminal" rows "$rows" cols "$columns" ;;
        state)
            # Without another process: a module's code may leave little of the processor.
            moving=
            while read -r line; do
                case $line in
                *' Live '*) ;;
                *) moving="$moving$line$newline" ;;
                esac
            done </proc/modules
            read -r _ <&9
            printf 'state %d\n%s' "${#moving}" "$moving" >&8
            echo >&9
            ;;
        esac
    done
}

say hello ''
exec 7<"$channel"
answer &

if [ "$interactive" ]; then
    setsid -c /bin/sh /lab/command <"$terminal" >"$terminal" 2>&1
    status=$?
else
    mkfifo /lab/out.fifo /lab/err.fifo
    pump out </lab/out.fifo &
    out=$!
    pump err </lab/err.fifo &
    err=$!
    # It opens these itself: what this shell says of a command that was killed is not its own.
    /bin/sh /lab/command
    status=$?
    say ended "$status"
    { wait "$out" && wait "$err"; } || say lost ''
fi
say status "$status"
echo o >/proc/sysrq-trigger
sleep 100
