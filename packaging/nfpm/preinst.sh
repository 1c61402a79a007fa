#!/bin/sh
# Before unpacking: the user, and a whole copy of what runs. dpkg and rpm call it alike; what it does goes by what is there.
set -e

home=/opt/floorgate
new=@version@

if [ -e "$home/.offline" ]; then
    echo "floorgate: $home was installed from an offline bundle. Take that away first; sites and data stay:" >&2
    echo "floorgate: sh $home/current/share/install.sh --uninstall" >&2
    exit 1
fi

# The service's user and group, one or both of which an administrator may have made. They stay when the package goes, as
# Debian has it: what they owned must not become another's.
if ! getent group floorgate >/dev/null; then
    groupadd --system floorgate
fi
if ! getent passwd floorgate >/dev/null; then
    serial=$(getent group dialout || true) # whose the serial ports are
    useradd --system --gid floorgate ${serial:+--groups dialout} --home-dir /var/lib/floorgate --no-create-home \
        --shell /usr/sbin/nologin --comment "Floorgate edge gateway" floorgate
fi

# `previous` is made of hard links to what `current` is, and `current` points to it from then on: whatever happens
# while files are unpacked and removed, there is a version that is whole. Where `current` is `previous` already, an
# upgrade was broken off or somebody has gone back, and that one is kept.
now=$(readlink -f "$home/current" || true) # by whatever path somebody has led it there
now=${now##*/}
if [ -x "$home/$now/floorgate" ]; then
    if [ "$now" != previous ]; then
        rm -rf "$home/previous.new"
        cp -al "$home/$now" "$home/previous.new" || {
            rm -rf "$home/previous.new"
            echo "floorgate: cannot keep version $now in $home/previous. Is the disk full? Nothing has been changed." >&2
            exit 1
        }
        echo "$now" >"$home/previous.new/.version"
        rm -rf "$home/previous"
        mv -T "$home/previous.new" "$home/previous"
    fi
    ln -sfn previous "$home/current.new"
    mv -T "$home/current.new" "$home/current"
fi

# See postinst: a link in the place of what is about to be unpacked.
if [ -L "$home/$new" ]; then
    rm "$home/$new"
fi
