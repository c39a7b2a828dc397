#!/usr/bin/env bash
# check | install: the real nginx of the emitted account. The bridge behind it is a fake: it is published as an image only.
set -euo pipefail

case "${1:-}" in
  check)
    for program in nginx openssl; do
      command -v "$program" >/dev/null || { echo "$program is not installed: run live.sh install" >&2; exit 1; }
    done
    echo "nginx $(nginx -v 2>&1 | sed -nE 's|.*nginx/([0-9.]+).*|\1|p'), a fake of the bridge"
    ;;
  install)
    apt-get install -y --no-install-recommends nginx-light openssl
    ;;
  *)
    echo "usage: live.sh check|install" >&2
    exit 2
    ;;
esac
