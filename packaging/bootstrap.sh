#!/bin/sh
# bootstrap.sh LOCK [VENV]: makes VENV (.venv) where there is none, and installs what LOCK pins; into .venv also floorgate itself,
# ready to run.
# Needs a python3 of 3.11 or later (PYTHON says which) with venv or pip; where both are missing, Debian's package is installed.
set -eu
cd "$(dirname "$0")/.."

lock=$1
python=${PYTHON:-python3}
home=${2:-.venv}
venv=$home/bin/python

fail() {
    echo "floorgate: $*" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

has_pip() {
    "$1" -m pip --version >/dev/null 2>&1
}

make_venv() { # with pip inside, or bare where a pip stands beside python3
    rm -rf "$home"
    { "$python" -m venv "$home" >/dev/null 2>&1 && has_pip "$venv"; } || {
        rm -rf "$home"
        has_pip "$python" && "$python" -m venv --without-pip "$home"
    }
}

pip() {
    if has_pip "$venv"; then
        "$venv" -m pip --disable-pip-version-check "$@"
    else
        "$python" -m pip --disable-pip-version-check --python "$venv" "$@"
    fi
}

new_enough "$venv" || {
    command -v "$python" >/dev/null || fail "there is no '$python' here; install Python 3.11 or later"
    new_enough "$python" ||
        fail "$("$python" --version 2>&1) is too old: Python 3.11 or later is needed; name it like this: make demo PYTHON=python3.12"
    make_venv || {
        sh packaging/debian.sh "$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')"
        make_venv || fail "$python can make no virtual environment: it has neither ensurepip nor pip"
    }
}

echo "floorgate: installing $lock into $home" >&2
pip install --quiet --require-hashes --only-binary :all: --requirement "$lock" ||
    fail "pip did not install what $lock pins. Where it speaks of hashes, a file is not the one that was pinned: do not use it, look" \
        "at the index or proxy that it came from. Otherwise: is the network there, and has this platform a wheel of each package?"
[ "$home" != .venv ] || pip install --quiet --no-deps --no-build-isolation --editable .
