#!/bin/sh
# debian.sh PACKAGE…: installs Debian packages as root or through a sudo that asks nothing; otherwise says what is missing and fails.
set -eu

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    as_root=nobody
fi
if [ "$as_root" = nobody ] || ! command -v apt-get >/dev/null; then
    printf 'floorgate: %s missing here. Install it and try again; on Debian and Ubuntu:\n\n    apt-get install --no-install-recommends %s\n\n' \
        "$*" "$*" >&2
    exit 1
fi

install() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
}

echo "floorgate: installing $*" >&2
install "$@" >&2 || {
    $as_root apt-get update >&2
    install "$@" >&2
}
