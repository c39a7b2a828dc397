#!/usr/bin/env bash
# check | install | start: the server of the suite of Keycloak.
set -euo pipefail
exec bash "$(dirname "$0")/../../../templates/keycloak/live.sh" "$@"
