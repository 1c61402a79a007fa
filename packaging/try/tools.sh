#!/bin/sh
# What `make package-test` needs besides what the tests need: only what is missing is installed.
set -eu

missing=
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || missing="$missing $2"
}

need debootstrap debootstrap
need dpkg-deb dpkg
need lintian lintian
need shellcheck shellcheck
need ssh-keygen openssh-client
need systemd-analyze systemd
need rpm rpm
need rpm2cpio rpm2cpio
need cpio cpio
need nsenter util-linux
need setpriv util-linux

# shellcheck disable=SC2086 # one word per package
[ -z "$missing" ] || sh "$(dirname "$0")/../debian.sh" $missing
