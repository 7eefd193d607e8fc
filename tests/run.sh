#!/bin/sh
# Install what the tests need and run them all: formatters, linters, types, layers, tests.
#
# Everything goes into a virtual environment, the active one or .venv, and, on Debian and as root,
# the packages of the programs that lkm is compared with. Words given are handed to pytest.
set -eu
cd "$(dirname "$0")/.."

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    missing=
    command -v kmod >/dev/null || missing="$missing kmod"
    command -v readelf >/dev/null || missing="$missing binutils"
    command -v gcc >/dev/null || missing="$missing gcc libc6-dev"
    # Kernel modules for the guests: the compiler of Debian's kernels, and what kbuild's tools link.
    command -v make >/dev/null || missing="$missing make"
    command -v gcc-12 >/dev/null || missing="$missing gcc-12"
    dpkg -s libelf1 >/dev/null 2>&1 || missing="$missing libelf1"
    command -v cpio >/dev/null || missing="$missing cpio"
    command -v openssl >/dev/null || missing="$missing openssl"
    command -v qemu-system-x86_64 >/dev/null || missing="$missing qemu-system-x86"
    command -v qemu-system-aarch64 >/dev/null || missing="$missing qemu-system-arm"
    command -v busybox >/dev/null || missing="$missing busybox-static"
    command -v getopt >/dev/null || missing="$missing util-linux"
    command -v zsh >/dev/null || missing="$missing zsh"
    command -v fish >/dev/null || missing="$missing fish"
    command -v mandoc >/dev/null || missing="$missing mandoc"
    command -v jq >/dev/null || missing="$missing jq"
    # Yesterday's lists name kernels that are gone today. Without a network those of then must do.
    apt-get -qq update || echo "tests/run.sh: apt-get update failed; going on" >&2
    # shellcheck disable=SC2086  # one word a package
    [ -z "$missing" ] || DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
        --no-install-recommends $missing >/dev/null
fi

if [ -z "${VIRTUAL_ENV:-}" ]; then
    [ -x .venv/bin/python ] || python3 -m venv .venv
    VIRTUAL_ENV=$PWD/.venv
    PATH=$VIRTUAL_ENV/bin:$PATH
    export VIRTUAL_ENV PATH
fi
python -m pip install -q -e '.[test]'

ruff format --check -q .
ruff check -q .
mypy
lint-imports
# The other Pythons that lkm supports, where they are: all tests that need no other program.
same=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
others=
for version in 3.11 3.12 3.13 3.14; do
    [ "$version" != "$same" ] || continue
    for python in "python$version" "$HOME/.pyenv/versions/$version".*/bin/python; do
        "$python" -c 'import venv' 2>/dev/null || continue
        [ -x ".venv-$version/bin/python" ] || "$python" -m venv ".venv-$version"
        ".venv-$version/bin/python" -m pip install -q -e ".[signatures]" pytest jsonschema
        others="$others $version"
        break
    done
done

# Most tests keep one processor busy. So the cases against kmod, which need nothing else, and the
# other Pythons run one after the other beside all the rest; what they print is shown when they end.
said=$(mktemp -d)
cases=tests/oracle/test_cases.py
beside() {
    if [ $# = 0 ]; then
        ended=0
        python -m pytest -q -p no:cacheprovider "$cases" >"$said/cases" 2>&1 || ended=$?
        echo "$ended" >"$said/cases.status"
    fi
    for version in $others; do
        ended=0
        ".venv-$version/bin/python" -m pytest -q -m "not debian and not oracle and not lab" \
            -p no:cacheprovider --ignore tests/project "$@" >"$said/$version" 2>&1 || ended=$?
        echo "$ended" >"$said/$version.status"
    done
}
beside "$@" &
job=$!
stop() {
    kill "$job" 2>/dev/null || true
    rm -rf "$said"
}
trap stop EXIT
trap 'exit 130' INT TERM

status=0
if [ $# = 0 ]; then
    python -m pytest --ignore "$cases" || status=$?
else
    python -m pytest "$@" || status=$?
fi
wait "$job" || status=$?
for each in cases $others; do
    [ -f "$said/$each.status" ] || continue
    echo "Beside these: $each"
    cat "$said/$each"
    ended=$(cat "$said/$each.status")
    # 5 is no test: words for pytest may name one that needs another program.
    [ "$ended" = 0 ] || [ "$ended" = 5 ] || status=$ended
done
exit "$status"
