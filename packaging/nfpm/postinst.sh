#!/bin/sh
# After unpacking: prove that the new version starts, have `current` point to it, restart what runs. For dpkg and rpm
# alike, and for dpkg's ways back from an upgrade or a removal that failed. Done twice, it does the same.
set -e

home=/opt/floorgate
new=@version@
first=$([ -e "$home/current" ] || echo yes)

say() {
    printf 'floorgate: %s\n' "$@" >&2
}

# What the upgrade comes from; nothing where this is no upgrade.
old=$(cat "$home/previous/.version" 2>/dev/null || true)
# A process of the old version looks for parts of itself where it was started from, until it has ended. That may be long after
# this, where it is not systemd that has started it: the link stays until the next upgrade.
if [ -n "$old" ] && [ ! -e "$home/$old" ]; then
    ln -sfn previous "$home/$old"
fi

case "$1" in
    configure | abort-*) again="dpkg --configure floorgate" other="dpkg -i FILE" ;;
    *) again="rpm -U --replacepkgs FILE" other="rpm -U --oldpackage FILE" ;;
esac

point() { # WHERE TO
    ln -sfn "$1" "$home/current.new"
    mv -T "$home/current.new" "$home/current"
}

give_up() { # WHAT IS WRONG, AND WHAT OF THE SERVICE
    say "$1"
    if [ -n "$old" ]; then
        say "version $old goes on as before, by $home/current -> previous${2-; nothing was restarted}"
    fi
    say "what to do: put that right and run '$again', or install a version that fits: $other"
    exit 1
}

# Exit code 78: the configuration is wrong. What the service gets from systemd is where it is by our own advice.
refuses() { # VERSION SITE
    CREDENTIALS_DIRECTORY=/etc/floorgate/credentials timeout 120 "$home/$1/floorgate" check "$2" >/dev/null 2>&1 && return 1
    [ $? = 78 ]
}

if ! said=$(timeout 60 "$home/$new/floorgate" version 2>&1); then
    give_up "version $new does not start on this machine: $(printf '%s' "$said" | tail -n 3)"
fi
for site in /etc/floorgate/*.yaml; do
    if [ ! -f "$site" ] || ! refuses "$new" "$site"; then
        continue
    fi
    if [ -n "$old" ] && [ "$old" != "$new" ] && ! refuses previous "$site"; then
        give_up "$site is fine for version $old, but not for $new: $home/$new/floorgate check $site"
    fi
    say "$site has problems: floorgate check $site"
done

# rpm does not wait until what it has unpacked is on the disk.
sync -f "$home" || true
point "$new"

# A link may lead to a disk that is not mounted now.
if [ ! -e /var/lib/floorgate ] && [ ! -L /var/lib/floorgate ]; then
    install -d -m 0700 -o floorgate -g floorgate /var/lib/floorgate
fi

# Nothing is enabled or started here: with the first site, that is for a person to do.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    case "$1" in
        abort-*) ;; # the old version runs, and goes on
        *)
            # One that waits to be started again counts as well; try-restart would pass over it.
            runs=$(systemctl list-units --plain --no-legend --state=active,activating,reloading \
                floorgate.service 'floorgate@*.service' | cut -d ' ' -f 1)
            # shellcheck disable=SC2086 # one word per unit
            if [ -n "$runs" ] && ! systemctl restart $runs; then
                if [ -n "$old" ] && [ "$old" != "$new" ] && point previous && systemctl restart $runs; then
                    give_up "version $new does not come up as a service: journalctl -u floorgate" ", and runs again"
                fi
                point "$new"
                systemctl --no-block restart $runs || true
                say "version $new is installed, but its service has not come up: journalctl -u floorgate"
            fi
            ;;
    esac
fi
for link in "$home"/*; do
    if [ -L "$link" ] && [ "$link" != "$home/current" ] && [ "$link" != "$home/$old" ]; then
        rm "$link"
    fi
done
if [ -n "$first" ]; then
    say "what next: edit /etc/floorgate/floorgate.yaml, then systemctl enable --now floorgate"
fi
