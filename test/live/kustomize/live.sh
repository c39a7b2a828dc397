#!/usr/bin/env bash
# check | install: the kustomize program, built from its published Go module outside of this repository.
set -euo pipefail

KUSTOMIZE=5.7.1
BIN="${XDG_CACHE_HOME:-$HOME/.cache}/topogate/bin"

case "${1:-}" in
  check)
    [[ -x "$BIN/kustomize" ]] || { echo "kustomize is not installed: run live.sh install" >&2; exit 1; }
    "$BIN/kustomize" version
    ;;
  install)
    mkdir -p "$BIN"
    GOBIN="$BIN" go install "sigs.k8s.io/kustomize/kustomize/v5@v$KUSTOMIZE"
    ;;
  *)
    echo "usage: live.sh check|install" >&2
    exit 2
    ;;
esac
