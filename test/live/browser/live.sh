#!/usr/bin/env bash
# check | install: Chromium and the program that drives it, of the distribution.
set -euo pipefail

case "${1:-}" in
  check)
    command -v chromedriver > /dev/null && command -v chromium > /dev/null ||
      { echo "chromium is not installed: run live.sh install" >&2; exit 1; }
    chromium --version
    ;;
  install)
    apt-get update
    apt-get install -y --no-install-recommends chromium chromium-driver
    ;;
  *)
    echo "usage: live.sh check|install" >&2
    exit 2
    ;;
esac
