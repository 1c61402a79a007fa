#!/bin/sh
# What the tests need besides Python: only what is missing is installed.
set -eu

missing=
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || missing="$missing $2"
}

need mosquitto mosquitto
need mosquitto_pub mosquitto-clients
need socat socat
need tinyproxy tinyproxy
need microsocks microsocks
need tshark tshark
need openssl openssl
need ssh-keygen openssh-client
need gcc gcc
need node nodejs
need npm npm
need nft nftables
need ip iproute2
need mkfs.ext4 e2fsprogs
need mkfs.xfs xfsprogs
need losetup mount
need unshare util-linux
need systemd-analyze systemd
echo '#include <modbus/modbus.h>' | gcc -E -x c - >/dev/null 2>&1 || missing="$missing libmodbus-dev libc6-dev"

# shellcheck disable=SC2086 # one word per package
[ -z "$missing" ] || sh "$(dirname "$0")/debian.sh" $missing
