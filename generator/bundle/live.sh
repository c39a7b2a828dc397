#!/usr/bin/env bash
# check | install | start | path: oras and crane, built from their published Go modules outside of this repository.
# `start` serves crane's registry, and `path` prints the folder that both are in.
set -euo pipefail

ORAS=1.3.6
CRANE=0.22.1
BIN="${XDG_CACHE_HOME:-$HOME/.cache}/topogate/bin"

case "${1:-}" in
  check)
    for program in oras crane; do
      [[ -x "$BIN/$program" ]] || { echo "$program is not installed: run live.sh install" >&2; exit 1; }
    done
    echo "oras $("$BIN/oras" version | sed -nE 's/^Version: *([0-9.]+).*/\1/p'), crane $("$BIN/crane" version | tr -d v)"
    ;;
  install)
    command -v go >/dev/null || { echo "oras and crane are built from their source: install Go first" >&2; exit 1; }
    mkdir -p "$BIN"
    GOBIN="$BIN" nice -n 15 go install "oras.land/oras/cmd/oras@v$ORAS"
    GOBIN="$BIN" nice -n 15 go install "github.com/google/go-containerregistry/cmd/crane@v$CRANE"
    ;;
  start)
    exec "$BIN/crane" registry serve --address "127.0.0.1:$PORT" --disk "$DIR"
    ;;
  path)
    echo "$BIN"
    ;;
  *)
    echo "usage: live.sh check|install|start|path" >&2
    exit 2
    ;;
esac
