#!/bin/sh
# Pins every dependency, with hashes, for all platforms and Python 3.11 and later: requirements.txt, -build and -dev.
# Versions that still fit stay as they are; `packaging/lock.sh --upgrade` takes the newest, `--upgrade-package NAME` one of them.
set -eu
cd "$(dirname "$0")/.."

uv=${UV:-uv}
command -v "$uv" >/dev/null || {
    echo "lock: '$uv' is not there: install uv (https://docs.astral.sh/uv/), or say where it is: make lock UV=/path/to/uv" >&2
    exit 1
}
builders=$("${PYTHON:-python3}" -c '
import tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")')

pin() { # LOCK [OPTION…]: the project with these options, and what builds it
    lock=$1
    shift
    echo "$builders" | "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --no-emit-find-links --annotation-style line \
        "$@" pyproject.toml - -o "$lock" >/dev/null
}

pin packaging/requirements.txt --extra fast --extra demo --extra xlsx --extra zstd "$@"
pin packaging/requirements-build.txt --extra fast --extra demo --extra xlsx --extra zstd --extra build \
    --constraint packaging/requirements.txt "$@"
pin packaging/requirements-dev.txt --extra fast --extra demo --extra xlsx --extra zstd --extra dev --extra build \
    --constraint packaging/requirements-build.txt "$@"
