#!/usr/bin/env bash
# check | install | start: the clients that the tests of run_test start, and the servers that they talk to.
# start runs the server of another folder, SERVICE, with PORT and DIR set.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)

case "${1:-}" in
  check)
    for program in psql pg_isready redis-cli curl; do
      command -v "$program" >/dev/null || { echo "$program is not installed: run live.sh install" >&2; exit 1; }
    done
    for service in postgresql valkey; do bash "$HERE/../$service/live.sh" check >/dev/null; done
    psql --version | sed -E 's/.* ([0-9.]+) .*/\1/'
    ;;
  install)
    apt-get install -y --no-install-recommends postgresql postgresql-client redis-server redis-tools curl openssl
    ;;
  start)
    exec bash "$HERE/../${SERVICE:?}/live.sh" start
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 64
    ;;
esac
