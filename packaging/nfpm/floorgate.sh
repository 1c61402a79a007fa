#!/bin/sh
# The version that the link `current` names.
exec /opt/floorgate/current/floorgate "$@"
