#!/bin/sh
# After a removal the program is gone; what it has read stays until somebody purges the package. rpm cannot purge.
set -e

case "$1" in
    remove | purge | 0) ;;
    *) exit 0 ;; # an upgrade, or a way back from one
esac

rm -rf /opt/floorgate
mkdir -p /opt # dpkg has taken that, too, if nothing else is in it
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
fi

if [ "$1" = purge ]; then
    for data in /var/lib/floorgate /var/lib/floorgate-*; do
        [ -e "$data" ] || continue
        echo "floorgate: purging $data, delivered or not: $(du -sh "$data" | cut -f 1)" >&2
        rm -rf "$data"
    done
    rm -rf /etc/floorgate
fi
