#!/bin/sh
# Runs the version in whose folder this lies. The folder is found by its own name, not by a link to it: what a process loads later
# must be of the version that it began with.
here=$(dirname "$(readlink -f "$0")")
exec "$here/bin/python" -I "$here/bin/floorgate" "$@"
