#!/bin/sh
# boot.sh ROOT HELD: becomes systemd as the first process of the Debian root ROOT, which sees the folder HELD at /mnt.
# It is called in namespaces of its own (mounts, processes, names, control groups), and all that it makes ends with them.
set -eu
root=$1
held=$2

mount --make-rprivate /
mount --bind "$held" "$root/mnt"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys" # or its start would set the kernel of this machine
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
device() { # NAME MAJOR MINOR
    mknod -m 666 "$root/dev/$1" c "$2" "$3"
}
device null 1 3
device zero 1 5
device full 1 7
device random 1 8
device urandom 1 9
device tty 5 0
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
hostname gateway

cd "$root"
mkdir -p run/before
pivot_root . run/before
umount -l /run/before
rmdir run/before
mount --make-rshared / # as systemd does outside of containers; it mounts credentials that way
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd systemd.unit=multi-user.target
