#!/usr/bin/env bash
# check | install | start: the server of the suite of Valkey and Redis.
set -euo pipefail
exec bash "$(dirname "$0")/../../../templates/valkey/live.sh" "$@"
