#!/bin/sh
# Before the package is removed, and not before an upgrade: stop what runs, and let go of what dpkg and rpm do not know.
set -e

home=/opt/floorgate

case "$1" in
    remove | 0) ;; # dpkg's word, and rpm's
    *) exit 0 ;;
esac

if [ -d /run/systemd/system ]; then
    systemctl stop floorgate.service 'floorgate@*.service' || true # as when somebody has taken the unit away
fi
if command -v systemctl >/dev/null; then
    systemctl --quiet --no-reload disable floorgate.service floorgate@.service || true
fi
rm -rf "$home/current" "$home/previous"
