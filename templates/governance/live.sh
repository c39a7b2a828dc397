#!/usr/bin/env bash
# check | install | start: a real Open Policy Agent on 127.0.0.1:$PORT with the policy in $POLICY.
set -euo pipefail

VERSION=1.10.1
HOME_OF_OPA="${XDG_CACHE_HOME:-$HOME/.cache}/topogate/opa"

case "${1:-}" in
  check)
    [[ -x "$HOME_OF_OPA/opa" ]] || { echo "opa is not built: run live.sh install" >&2; exit 1; }
    "$HOME_OF_OPA/opa" version | sed -nE 's/^Version: (.*)/\1/p'
    ;;
  install)
    GOFLAGS=-p=1 CGO_ENABLED=0 GOBIN="$HOME_OF_OPA" nice -n 19 \
      go install "github.com/open-policy-agent/opa@v$VERSION"
    ;;
  start)
    exec "$HOME_OF_OPA/opa" run --server --addr "127.0.0.1:$PORT" --log-level error "$POLICY"
    ;;
  eval)
    # Every question of the list on stdin, by the policy that is named.
    exec "$HOME_OF_OPA/opa" eval --format raw --stdin-input --data "$2" \
      '[answer | some question in input; answer := data.mcp.authz.decision with input as question]'
    ;;
  *)
    echo "usage: live.sh check|install|start|eval" >&2
    exit 2
    ;;
esac
