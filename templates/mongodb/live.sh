#!/usr/bin/env bash
# check | install | start: FerretDB on 127.0.0.1:$PORT with its data in $DIR. No registry has MongoDB itself; this is
# another server that speaks its protocol, over SQLite. It knows accounts and passwords, but no rights.
set -euo pipefail

VERSION=1.24.2
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/topogate/ferretdb-$VERSION"
PROGRAM="$CACHE/ferretdb"

case "${1:-}" in
  check)
    [[ -x "$PROGRAM" ]] || { echo "FerretDB $VERSION is not installed: run live.sh install" >&2; exit 1; }
    "$PROGRAM" --version | sed -nE 's/^version: v(.+)$/\1/p'
    ;;
  install)
    command -v go >/dev/null || { echo "Go is needed to build FerretDB" >&2; exit 1; }
    source="$(mktemp -d)"
    trap 'chmod -R u+w "$source"; rm -rf "$source"' EXIT
    module="$(go mod download -json "github.com/FerretDB/FerretDB@v$VERSION" | sed -nE 's/^\s*"Dir": "(.+)",?$/\1/p')"
    cp -r "$module/." "$source"
    chmod -R u+w "$source"
    # The release's own build writes this file; without it the program refuses to start.
    printf 'v%s' "$VERSION" >"$source/build/version/version.txt"
    mkdir -p "$CACHE"
    (cd "$source" && GOFLAGS="-mod=mod -p=1" nice -n 19 go build -o "$PROGRAM" ./cmd/ferretdb)
    ;;
  start)
    mkdir -p "$DIR/data"
    exec "$PROGRAM" --handler sqlite --sqlite-url "file:$DIR/data/" --listen-addr "127.0.0.1:$PORT" --debug-addr "-" \
      --state-dir "$DIR" --telemetry disable --log-level error --test-enable-new-auth \
      --setup-database admin --setup-username admin --setup-password "$ADMIN_PASSWORD"
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
