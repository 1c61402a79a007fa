#!/bin/sh
# After a removal the program is gone; what it has read stays until somebody purges the package. rpm cannot purge.
set -e

case "$1" in
    remove | purge | 0) ;;
    *) exit 0 ;; # an upgrade, or a way back from one
esac

gone() { # FOLDER: all that is in it, and itself unless it is the place of a disk
    rm -rf "$1" || [ -z "$(ls -A "$1")" ]
}

gone /opt/floorgate
mkdir -p /opt # dpkg has taken that, too, if nothing else is in it
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
fi

if [ "$1" = purge ]; then
    for data in /var/lib/floorgate /var/lib/floorgate-*; do
        if [ -L "$data" ]; then
            echo "floorgate: $data led to $(readlink "$data"); what is there stays, and is yours to take away" >&2
        elif [ -e "$data" ]; then
            echo "floorgate: purging $data, delivered or not: $(du -sh "$data" | cut -f 1)" >&2
        fi
        gone "$data"
    done
    gone /etc/floorgate
fi
