#!/usr/bin/env bash
# check: this suite starts the servers of other folders, each by the live.sh there; it names those that are not here.
set -euo pipefail

case "${1:-}" in
  check) echo "the servers of the link table" ;;
  install) echo "install the servers by the live.sh of their folders" >&2 ;;
  *)
    echo "usage: live.sh check|install" >&2
    exit 2
    ;;
esac
