#!/usr/bin/env bash
# check | install | start: a real Loki with tenants on 127.0.0.1:$PORT, and $GRPC_PORT within itself, with its data in $DIR.
#
# 1.6.1 is the last version that is published as a Go module under the Apache licence; later ones are under the
# AGPL, and are not built here. It is built into the user's cache, outside this repository.
set -euo pipefail

LOKI=1.6.1

CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/topogate"
BIN="$CACHE/bin"

# A module of its own copies the directives that `go install` refuses, and has newer versions of what the
# compiler of today cannot take as it was in 2020.
build_loki() (
  folder=$(mktemp -d)
  trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
  cd "$folder"
  export GOFLAGS="-mod=mod -buildvcs=false" GOCACHE="$CACHE/go-build"
  answer=$(go mod download -json "github.com/grafana/loki@v$LOKI") || { echo "$answer" >&2; exit 1; }
  module=$(sed -nE 's/^\s*"Dir": "(.*)",$/\1/p' <<<"$answer")
  grep -q 'Apache License' "$module/LICENSE" || { echo "Loki $LOKI is not under the Apache licence" >&2; exit 1; }
  { printf 'module live\n\ngo 1.16\n\nrequire github.com/grafana/loki v%s\n' "$LOKI"; grep '^replace ' "$module/go.mod"; } >go.mod
  go get golang.org/x/sys@v0.30.0 golang.org/x/net@v0.30.0 github.com/modern-go/reflect2@v1.0.2 \
    github.com/json-iterator/go@v1.1.12 go.etcd.io/bbolt@v1.3.11
  stamp="-X github.com/grafana/loki/pkg/build.Version=$LOKI"
  go build -trimpath -ldflags "-s -w $stamp" -o "$BIN/loki" github.com/grafana/loki/cmd/loki
)

missing() {
  [[ -x "$BIN/loki" ]] || echo loki
  for program in nginx openssl; do command -v "$program" >/dev/null || echo "$program"; done
}

write_config() {
  cat >"$DIR/loki.yaml" <<CONFIG
auth_enabled: true
server:
  http_listen_address: 127.0.0.1
  http_listen_port: $PORT
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: $GRPC_PORT
  grpc_server_max_recv_msg_size: 67108864
  grpc_server_max_send_msg_size: 67108864
  log_level: warn
ingester_client: {grpc_client_config: {max_recv_msg_size: 67108864, max_send_msg_size: 67108864}}
ingester:
  lifecycler:
    address: 127.0.0.1
    join_after: 0s
    min_ready_duration: 0s
    ring: {kvstore: {store: inmemory}, replication_factor: 1}
    final_sleep: 0s
  max_transfer_retries: 0
schema_config:
  configs:
    - {from: 2018-04-15, store: boltdb, object_store: filesystem, schema: v11, index: {prefix: index_, period: 168h}}
storage_config:
  boltdb: {directory: $DIR/index}
  filesystem: {directory: $DIR/chunks}
limits_config: {ingestion_rate_mb: 200, ingestion_burst_size_mb: 400, max_streams_per_user: 100000, enforce_metric_name: false}
CONFIG
}

case "${1:-}" in
  check)
    absent=$(missing | paste -sd ' ')
    [[ -z "$absent" ]] || { echo "not installed: $absent (run live.sh install)" >&2; exit 1; }
    "$BIN/loki" --version 2>&1 | sed -nE 's/^loki, version ([0-9.]+).*/\1/p'
    ;;
  install)
    command -v go >/dev/null || { echo "go is needed to build Loki" >&2; exit 1; }
    command -v nginx >/dev/null || apt-get install -y --no-install-recommends nginx-light
    command -v openssl >/dev/null || apt-get install -y --no-install-recommends openssl
    mkdir -p "$BIN"
    [[ -x "$BIN/loki" ]] || build_loki
    ;;
  start)
    write_config
    exec "$BIN/loki" -config.file "$DIR/loki.yaml"
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
