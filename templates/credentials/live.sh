#!/usr/bin/env bash
# check | install | path: the same programs as for sealing itself.
exec bash "$(dirname "$0")/../../generator/seal/live.sh" "$@"
