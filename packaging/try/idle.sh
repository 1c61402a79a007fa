#!/bin/sh
# idle.sh ROOT HELD: a chroot in which nothing runs, as where an image is built; the folder HELD stands at /mnt.
set -eu
mount --make-rprivate /
mount --bind "$2" "$1/mnt"
mount -t proc proc "$1/proc"
cd "$1"
mkdir -p run/before
pivot_root . run/before
umount -l /run/before
rmdir /run/before
exec sleep infinity
