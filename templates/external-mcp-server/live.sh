#!/usr/bin/env bash
# check | install | start: a server on the official TypeScript SDK on 127.0.0.1:$PORT, with its token in $TOKEN.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
sdk="$here/../../node_modules/@modelcontextprotocol/sdk"

case "${1:-}" in
  check)
    [[ -f "$sdk/package.json" ]] || { echo "the SDK is not installed: run npm ci" >&2; exit 1; }
    node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).version' "$sdk/package.json"
    ;;
  install)
    cd "$here/../.." && npm ci
    ;;
  start)
    exec node "$here/live-server.mjs"
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
