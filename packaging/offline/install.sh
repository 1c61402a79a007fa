#!/bin/sh
# install.sh [--prefix DIR] [--python PYTHON]: installs this version of Floorgate, or upgrades to it, without a network.
# install.sh --back: goes back to the version that was there before.    install.sh --uninstall [--purge]: takes it away.
#
# As root it is a service: /opt/floorgate, the user floorgate, /etc/floorgate, systemd's units. With --prefix it is a folder and
# nothing else, which needs no rights. A version is built aside and comes into use by one rename: killed at any moment, this
# leaves what ran before.
set -eu
umask 022
unset CDPATH PYTHONHOME PYTHONPATH # `cd` and the Python of this machine as they are
export PIP_CONFIG_FILE=/dev/null   # nor what /etc/pip.conf wants; --isolated is about the user's own

here=$(cd "$(dirname "$0")" && pwd)
etc=/etc/floorgate
data=/var/lib/floorgate
units=/usr/local/lib/systemd/system
command=/usr/local/bin/floorgate
pages="man/floorgate.1 /usr/local/share/man/man1/floorgate.1
man/floorgate.zh.1 /usr/local/share/man/zh_CN/man1/floorgate.1
shell/floorgate.bash /usr/local/share/bash-completion/completions/floorgate
shell/floorgate.fish /usr/local/share/fish/vendor_completions.d/floorgate.fish
shell/floorgate.zsh /usr/local/share/zsh/site-functions/_floorgate"
version='' arch='' for_python='' glibc='' # what this bundle is, and is for: ./release says it

say() {
    printf 'floorgate: %s\n' "$@" >&2
}

fail() { # WHAT IS WRONG, WHAT TO DO
    say "$@"
    exit 1
}

# ── what is asked ──

prefix=
python=
task=install
purge=
while [ $# -gt 0 ]; do
    case "$1" in
        --prefix | --python)
            [ -n "${2-}" ] || fail "$1 needs a value" "sh install.sh --help"
            case "$1" in --prefix) prefix=$2 ;; *) python=$2 ;; esac
            shift
            ;;
        --back | --uninstall) task=${1#--} ;;
        --purge) purge=yes ;;
        -h | --help)
            sed -n '2,3s/^# //p' "$0"
            exit 0
            ;;
        *) fail "what is $1?" "sh install.sh --help" ;;
    esac
    shift
done
[ -z "$purge" ] || [ "$task" = uninstall ] || fail "--purge belongs to --uninstall"

service=
if [ -z "$prefix" ]; then
    [ "$(id -u)" = 0 ] || fail "to install it as a service takes root" \
        "run this with sudo, or say where a folder of your own is: sh install.sh --prefix ~/floorgate"
    prefix=/opt/floorgate
    service=yes
fi

# ── what can be looked at before anything changes ──

check_files() {
    wrong=$(cd "$here" && sha256sum -c SHA256SUMS 2>/dev/null | grep -v ': OK$') || true
    [ -z "$wrong" ] || fail "this bundle is not as it was made, and nothing was changed:" "$wrong" "copy it here again"
    known=$(cd "$here" && sha256sum -c SHA256SUMS 2>/dev/null | grep -c ': OK$') || true
    [ "$known" -gt 0 ] || fail "$here/SHA256SUMS is missing or empty" "copy the bundle here again"
    [ "$known" = "$(grep -c . "$here/SHA256SUMS")" ] || fail "$here/SHA256SUMS is not as it was made" "copy the bundle here again"
}

check_machine() {
    [ "$(uname -s) $(uname -m)" = "Linux $arch" ] || fail \
        "this bundle is for Linux on $arch, and this machine is $(uname -s) on $(uname -m)" "take the bundle for it"
    have=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2) || true
    [ -n "$have" ] || fail "this system has no glibc" "the wheels in this bundle need glibc $glibc or newer"
    [ "$(printf '%s\n%s\n' "$glibc" "$have" | sort -V | head -n 1)" = "$glibc" ] || fail \
        "this system has glibc $have, and glibc $glibc or newer is needed" "install it on a newer system"
}

kind() { # PYTHON: such as "3.11, 64 bits", or what it lacks
    "$1" -c 'import struct, sys, venv, sqlite3, ssl; print("%d.%d, %d bits" % (*sys.version_info[:2], 8 * struct.calcsize("P")))' 2>&1 |
        tail -n 1
}

find_python() {
    wanted="$for_python, 64 bits"
    for each in ${python:-"python$for_python" python3}; do
        if ! command -v "$each" >/dev/null; then
            seen="there is no $each here"
        elif found=$(kind "$each") && [ "$found" = "$wanted" ]; then
            python=$(command -v "$each")
            return
        else
            seen="$each is $found"
        fi
    done
    fail "this bundle needs a Python $for_python of 64 bits with venv, ssl and sqlite3, and $seen" \
        "name one with --python, or take the bundle that is made for the Python that is here (cp$(echo "$for_python" | tr -d .) is in this one's name)"
}

ours() { # what a package or somebody else has put there is not touched
    [ ! -e "$prefix" ] || [ -e "$prefix/.offline" ] || [ -z "$(ls -A "$prefix")" ] || fail \
        "$prefix holds something that this installer has not put there" \
        "was floorgate installed as a package? then upgrade or remove it as one; or name another folder with --prefix"
}

lock() {
    mkdir -p "$prefix"
    : >>"$prefix/.offline"
    exec 9>>"$prefix/.offline"
    ! command -v flock >/dev/null || flock -n 9 || fail "another install.sh is at work in $prefix" "wait until it has ended"
}

# ── one version ──

build() {
    new=$prefix/.new-$version
    rm -rf "$prefix"/.new-*
    trap 'rm -rf "$new"; say "nothing was changed"' EXIT
    trap 'exit 1' HUP INT TERM
    "$python" -m venv --without-pip "$new"
    "$new/bin/python" "$(ls "$here"/wheels/pip-*.whl)/pip" --isolated --disable-pip-version-check --no-cache-dir --quiet \
        install --no-index --find-links "$here/wheels" --only-binary :all: --require-hashes --no-compile \
        --no-warn-script-location --requirement "$here/requirements.txt" || fail "pip refused the wheels; see above"
    find "$new/bin" -type f ! -name floorgate ! -name 'python*' -exec rm -f {} + # they name the folder that this was built in
    "$new/bin/python" -m compileall -q -s "$new" -p "$prefix/$version" "$new/lib" || true
    cp -R "$here/share" "$new/share"
    cp "$here/install.sh" "$new/share/install.sh"
    cp "$here/floorgate.sh" "$new/floorgate"
    chmod 755 "$new/floorgate"
    said=$("$new/floorgate" version) || fail "this version does not start on this machine; see above"
    [ "$said" = "floorgate $version" ] || fail "this version says that it is '$said'"
    check_sites
    sync
    trap - EXIT HUP INT TERM
}

refuses() { # FOLDER SITE: exit code 78 is a configuration that is wrong
    code=0
    "$1/floorgate" check "$2" >/dev/null 2>&1 || code=$?
    [ "$code" = 78 ]
}

check_sites() { # a site that ran until now must not stop because of this
    [ -n "$service" ] || return 0
    for site in "$etc"/*.yaml; do
        if [ -f "$site" ] && refuses "$new" "$site"; then
            if [ -n "$old" ] && ! refuses "$prefix/current" "$site"; then
                fail "$site is fine for version $old, but not for $version:" "$("$new/floorgate" check "$site" 2>&1 | tail -n 20)"
            fi
            say "$site has problems: floorgate check $site"
        fi
    done
}

place() { # the version that was built takes its name; where there is one of that name, it stays whole and in use meanwhile
    if [ -e "$prefix/$version" ]; then
        if [ "$(named current)" != .same ]; then # else it was killed here
            rm -rf "$prefix/.same"
            cp -al "$prefix/$version" "$prefix/.same"
        fi
        [ "$old" != "$version" ] || point current .same
        rm -rf "${prefix:?}/$version"
    fi
    mv "$new" "$prefix/$version"
}

point() { # LINK FOLDER
    ln -sfn "$2" "$prefix/.$1"
    mv -T "$prefix/.$1" "$prefix/$1"
}

named() { # LINK: the folder that it points to, or nothing
    readlink "$prefix/$1" || true
}

drop() { # FOLDER: a version of ours, and nothing that somebody else keeps here
    [ ! -f "$1/pyvenv.cfg" ] || [ ! -f "$1/share/install.sh" ] || rm -rf "$1"
}

tidy() { # what neither link names
    rm -rf "$prefix/.same" "$prefix"/.new-*
    for each in "$prefix"/*; do
        case "${each##*/}" in
            current | previous | "$(named current)" | "$(named previous)") ;;
            *) drop "$each" ;;
        esac
    done
}

# ── the service ──

booted() {
    [ -n "$service" ] && [ -d /run/systemd/system ]
}

running() {
    if booted; then
        systemctl list-units --plain --no-legend --state=active,activating 'floorgate.service' 'floorgate@*.service' | cut -d ' ' -f 1
    fi
}

settle() { # the system around the version that is current; done twice it does the same
    [ -n "$service" ] || return 0
    getent group floorgate >/dev/null || groupadd --system floorgate
    if ! getent passwd floorgate >/dev/null; then
        serial=$(getent group dialout || true)
        useradd --system --gid floorgate ${serial:+--groups dialout} --home-dir "$data" --no-create-home \
            --shell /usr/sbin/nologin --comment "Floorgate edge gateway" floorgate
    fi
    install -d -m 750 -o root -g floorgate "$etc" "$etc/conf.d"
    install -d -m 700 "$etc/credentials"
    [ -e "$etc/floorgate.yaml" ] || install -m 640 -o root -g floorgate "$prefix/current/share/floorgate.yaml" "$etc/floorgate.yaml"
    echo "$pages" | while read -r from to; do
        [ ! -e "$prefix/current/share/$from" ] || install -D -m 644 "$prefix/current/share/$from" "$to"
    done
    install -d "$units" "${command%/*}"
    install -m 644 "$prefix"/current/share/systemd/*.service "$units"
    printf '#!/bin/sh\nexec %s/current/floorgate "$@"\n' "$prefix" >"$command.new"
    chmod 755 "$command.new"
    mv "$command.new" "$command"
    ! booted || systemctl daemon-reload
}

restart() { # UNITS
    # shellcheck disable=SC2086 # one word per unit
    [ -z "$1" ] || systemctl restart $1
}

use() { # VERSION: becomes current; when the service does not come up with it, what was current stays
    was=$(running)
    keep=$old
    [ -z "$keep" ] || [ "$keep" = "$1" ] || point previous "$keep"
    point current "$1"
    settle
    if ! restart "$was"; then
        say "the service does not start with version $1: journalctl -u floorgate"
        if [ -n "$keep" ] && [ "$keep" != "$1" ]; then
            point current "$keep"
            settle
            restart "$was" || true
            fail "version $keep is in use again"
        fi
        exit 1
    fi
    [ -z "$keep" ] || [ "$keep" = "$1" ] || say "before: $keep; the way back: sh $prefix/current/share/install.sh --back"
}

# ── the three tasks ──

install_() {
    check_files
    # shellcheck source=/dev/null # made with the bundle
    . "$here/release"
    check_machine
    find_python
    ours
    lock
    old=$(named current)
    [ "$old" != .same ] || old=$version # killed while it was installed once more
    say "installing $version into $prefix"
    build
    place
    use "$version"
    tidy
    say "$("$prefix/current/floorgate" version) is installed"
    if [ -z "$service" ]; then
        say "run it: $prefix/current/floorgate run -c SITE.yaml --data DIR"
    elif [ -z "$old" ]; then
        say "edit $etc/floorgate.yaml, then: systemctl enable --now floorgate"
    fi
}

back() {
    ours
    [ -e "$prefix/.offline" ] || fail "nothing is installed in $prefix"
    lock
    old=$(named current)
    target=$(named previous)
    { [ -n "$target" ] && [ "$target" != "$old" ] && [ -x "$prefix/$target/floorgate" ]; } || fail "there is no version before ${old:-this one} in $prefix"
    use "$target"
    say "$("$prefix/current/floorgate" version) is in use"
}

leave() { # FOLDER: gone, and those above it, where nothing else is in them; what /usr/local has by itself stays
    folder=$1
    while :; do
        case "$folder" in /usr/local/lib | /usr/local/share | /usr/local/share/man) return ;; esac
        rmdir "$folder" 2>/dev/null || return 0
        folder=${folder%/*}
    done
}

uninstall() {
    ours
    [ -e "$prefix/.offline" ] || fail "nothing is installed in $prefix"
    lock
    if [ -n "$service" ]; then
        if booted; then
            systemctl stop floorgate.service 'floorgate@*.service' || true
        fi
        ! command -v systemctl >/dev/null || systemctl --quiet --no-reload disable floorgate.service floorgate@.service 2>/dev/null || true
        rm -f "$units/floorgate.service" "$units/floorgate@.service" "$command"
        echo "$pages" | while read -r _ to; do
            rm -f "$to"
            leave "${to%/*}"
        done
        leave "$units"
        ! booted || systemctl daemon-reload
    fi
    rm -f "$prefix/current" "$prefix/previous"
    tidy
    rm -f "$prefix/.offline"
    rmdir "$prefix" 2>/dev/null || say "$prefix stays, with what is not of this installer: $(ls -A "$prefix")"
    say "floorgate is gone from $prefix"
    [ -n "$service" ] || return 0
    if [ -z "$purge" ]; then
        say "$etc and $data stay, with what was read and not yet delivered; they go with --uninstall --purge"
        return
    fi
    for each in "$etc" "$data" "$data"-*; do
        if [ -L "$each" ]; then
            say "$each led to $(readlink "$each"); what is there stays, and is yours to take away"
        elif [ -e "$each" ]; then
            say "purging $each, delivered or not: $(du -sh "$each" | cut -f 1)"
        fi
        rm -rf "$each" || [ -z "$(ls -A "$each")" ] # the place of a disk stays, empty
    done
}

case "$task" in
    install) install_ ;;
    *) "$task" ;;
esac
