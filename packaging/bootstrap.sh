#!/bin/sh
# bootstrap.sh LOCK: makes .venv where there is none, installs what LOCK pins, and floorgate itself on top, ready to run.
# Needs a python3 of 3.11 or later (PYTHON says which) with venv or pip; where both are missing, Debian's package is installed.
set -eu
cd "$(dirname "$0")/.."

lock=$1
python=${PYTHON:-python3}
venv=.venv/bin/python

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
    rm -rf .venv
    { "$python" -m venv .venv >/dev/null 2>&1 && has_pip "$venv"; } || {
        rm -rf .venv
        has_pip "$python" && "$python" -m venv --without-pip .venv
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

echo "floorgate: installing $lock into .venv" >&2
pip install --quiet --require-hashes --only-binary :all: --requirement "$lock"
pip install --quiet --no-deps --no-build-isolation --editable .
