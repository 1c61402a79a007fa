#!/bin/sh
# verify.sh [--unsigned] [--signers FILE] DIR: whether DIR holds a release as it was made, by whom it had to be made.
# Needs no network, and nothing but coreutils and OpenSSH 8.2 or later. FILE (allowed_signers, beside this script) says whose
# signature counts; it must not come from where DIR came from. --unsigned: look at the sums alone.
set -eu
unset CDPATH # `cd` goes where the signature was looked at

dir=
signers=$(dirname "$0")/allowed_signers
unsigned=

fail() { # WHAT IS WRONG, WHAT TO DO
    printf 'verify: %s\n' "$@" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case "$1" in
        --unsigned) unsigned=yes ;;
        --signers)
            [ $# -ge 2 ] || fail "--signers needs a file"
            signers=$2
            shift
            ;;
        -*) fail "what is $1?" "verify.sh [--unsigned] [--signers FILE] DIR" ;;
        *) dir=$1 ;;
    esac
    shift
done
[ -d "$dir" ] || fail "there is no folder '$dir'" "verify.sh [--unsigned] [--signers FILE] DIR"
sums=$dir/SHA256SUMS
sig=$sums.sig
[ -f "$sums" ] || fail "$sums is missing" "get it from where the release is"

if [ -z "$unsigned" ]; then
    [ -f "$sig" ] || fail "no signature: $sig is missing, so anybody may have made these files" \
        "get it from where the release is; or look at the sums alone: --unsigned"
    command -v ssh-keygen >/dev/null || fail "ssh-keygen is not there" "install openssh-client, 8.2 or later"
    [ -f "$signers" ] || fail "$signers is missing: it says whose signature counts" "get it from the source, or name it with --signers"
    said=$(ssh-keygen -Y check-novalidate -n floorgate -s "$sig" <"$sums" 2>&1) ||
        fail "the signature is not of this SHA256SUMS: one of the two was changed" "do not use these files: $said"
    key=${said##* key }
    who=$(ssh-keygen -Y find-principals -s "$sig" -f "$signers" 2>/dev/null | head -n 1) || true
    [ -n "$who" ] || fail "signed with a key that does not count, or not now: $key" \
        "do not use these files, unless $signers is too old or the clock is wrong: $(date -u +%F)"
    said=$(ssh-keygen -Y verify -f "$signers" -I "$who" -n floorgate -s "$sig" <"$sums" 2>&1) ||
        fail "the signature of $who does not count: $said" "do not use these files, unless $signers is too old"
fi

cd "$dir"
grep -q . SHA256SUMS || fail "$sums is empty" "do not use these files"
while read -r sum name || [ -n "$sum" ]; do
    case "$name" in
        '' | */* | .* | -* | *[[:cntrl:]]*)
            fail "SHA256SUMS has a line that is none: $sum $name" "do not use these files, or get them again as they are, bytes and not text"
            ;;
    esac
    [ -f "$name" ] || fail "missing: $name" "get it from where the release is"
    [ "$(sha256sum <"$name" | cut -d ' ' -f 1)" = "$sum" ] || fail "changed: $name is not as it was made" "do not use it; get it again"
done <SHA256SUMS
for name in * .[!.]* ..?*; do
    case "$name" in SHA256SUMS | SHA256SUMS.sig | '*' | '.[!.]*' | '..?*') continue ;; esac
    cut -d ' ' -f 3- SHA256SUMS | grep -qxF -e "$name" || fail "extra: $name does not belong to the release" "take it away"
done

count=$(grep -c . SHA256SUMS)
if [ -n "$unsigned" ]; then
    echo "verify: $count files are as SHA256SUMS says; NOT SIGNED: nobody knows who made them"
else
    echo "verify: $count files, signed by $who ($key)"
fi
