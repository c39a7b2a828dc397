#!/usr/bin/env bash
# check | install: what the suite needs beside the fake of Grafana, which it starts itself: curl.
#
# No version of Grafana is published as a Go module that may be built here, and no package holds one.
set -euo pipefail

FAKED=12.0

case "${1:-}" in
  check)
    command -v curl >/dev/null || { echo "curl is not installed: run live.sh install" >&2; exit 1; }
    echo "fake of the API $FAKED"
    ;;
  install)
    apt-get install -y --no-install-recommends curl
    ;;
  *)
    echo "usage: live.sh check|install" >&2
    exit 2
    ;;
esac
