#!/usr/bin/env bash
# check | install | path: the real sops and age. They are programs, so there is no server to start; `path`
# prints where sops is.
set -euo pipefail

VERSION=3.13.3
FOLDER="${XDG_CACHE_HOME:-$HOME/.cache}/topogate/sops-$VERSION"

sops_path() {
  if [ -x "$FOLDER/sops" ]; then echo "$FOLDER/sops"; else command -v sops; fi
}

case "${1:-}" in
  check)
    sops=$(sops_path) || { echo "sops is not installed: run live.sh install" >&2; exit 1; }
    command -v age >/dev/null || { echo "age is not installed: run live.sh install" >&2; exit 1; }
    "$sops" --disable-version-check --version | sed -nE 's/^sops ([0-9.]+).*/\1/p'
    ;;
  install)
    command -v age >/dev/null || apt-get install -y --no-install-recommends age
    command -v go >/dev/null || { echo "sops is built from its source: install Go first" >&2; exit 1; }
    mkdir -p "$FOLDER"
    GOBIN="$FOLDER" nice -n 15 go install "github.com/getsops/sops/v3/cmd/sops@v$VERSION"
    ;;
  path)
    sops_path
    ;;
  *)
    echo "usage: live.sh check|install|path" >&2
    exit 2
    ;;
esac
