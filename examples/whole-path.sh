#!/bin/sh
# The whole path once, on a real Debian kernel, without root and without touching this machine's:
# what is installed, what a module says of itself, its indexes, what loading it takes; then load it
# into a sandbox kernel, look, and unload it again.
#
# usage: whole-path.sh [ROOT [RELEASE]]: a root folder that holds a kernel under lib/modules.
# Without ROOT the newest Debian cloud kernel is downloaded (35 MB, kept in the cache folder).
set -eu

root=${1:-}
if [ -z "$root" ]; then
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/lkm-example
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\)/\1/p')
    if [ -z "$package" ]; then
        echo "whole-path.sh: apt knows no Debian kernel here; give a ROOT that holds one" >&2
        exit 1
    fi
    root=$cache/$package
    if [ ! -d "$root" ]; then
        mkdir -p "$cache/download"
        (cd "$cache/download" && apt-get -qq download "$package")
        dpkg -x "$cache/download/$package"_*.deb "$root.new"
        mv "$root.new" "$root"
    fi
fi
release=${2:-$(ls "$root/lib/modules" | tail -n 1)}

LKM_STATE=$(mktemp -d)/sandbox
export LKM_STATE
trap 'rm -rf "${LKM_STATE%/sandbox}"' EXIT

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

run lkm kernels --root "$root"
run lkm depmod -b "$root" "$release"
run lkm find --root "$root" --release "$release" --path fs/btrfs
run lkm modinfo -b "$root" -k "$release" -F depends btrfs
run lkm modprobe -d "$root" -S "$release" -D btrfs
run lkm sandbox boot --root "$root" --release "$release"
run lkm --on sandbox modprobe -v btrfs
run lkm --on sandbox lsmod
run lkm sandbox cat /proc/modules
run lkm --on sandbox modprobe -v -r btrfs
run lkm --on sandbox lsmod
run lkm sandbox log
