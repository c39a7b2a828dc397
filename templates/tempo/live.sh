#!/usr/bin/env bash
# check | install: what the suite needs beside the fake of Tempo, which it starts itself: nginx and openssl.
#
# No version of Tempo is published as a Go module that may be built here, and no package holds one.
set -euo pipefail

FAKED=2.9

case "${1:-}" in
  check)
    for program in nginx openssl; do
      command -v "$program" >/dev/null || { echo "$program is not installed: run live.sh install" >&2; exit 1; }
    done
    echo "fake of the API $FAKED"
    ;;
  install)
    apt-get install -y --no-install-recommends nginx-light openssl
    ;;
  *)
    echo "usage: live.sh check|install" >&2
    exit 2
    ;;
esac
