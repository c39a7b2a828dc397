#!/usr/bin/env bash
# check | install | start: a real server on 127.0.0.1:$PORT with its data in $DIR.
set -euo pipefail

case "${1:-}" in
  check)
    command -v redis-server >/dev/null || { echo "redis-server is not installed: run live.sh install" >&2; exit 1; }
    command -v redis-cli >/dev/null || { echo "redis-cli is not installed: run live.sh install" >&2; exit 1; }
    redis-server --version | sed -E 's/.*v=([0-9.]+).*/\1/'
    ;;
  install)
    apt-get install -y --no-install-recommends redis-server redis-tools
    ;;
  start)
    # DEBUG is on so that a test can make the server slow, and so that an account that may not use it is proved.
    exec redis-server --bind 127.0.0.1 --port "$PORT" --dir "$DIR" --save "" --appendonly no \
      --enable-debug-command local
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
