#!/usr/bin/env bash
# check | install | start: a real store on 127.0.0.1:$PORT with its data in $DIR: SeaweedFS, or MinIO with STORE=minio.
# Its administrator's key is in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
#
# The programs are built from the published Go modules into the user's cache, outside this repository.
set -euo pipefail

SEAWEEDFS=v0.0.0-20261109003541-7506e5f91cd6
MINIO=v0.0.0-20260212201848-7aac2a2c5b7c
MC=v0.0.0-20250313080218-cf909e1063a9

CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/topogate"
BIN="$CACHE/bin"

# With STORE=seaweedfs only what that store needs.
missing() {
  local programs=(weed minio mc)
  [[ "${STORE:-}" != seaweedfs ]] || programs=(weed)
  for program in "${programs[@]}"; do [[ -x "$BIN/$program" ]] || echo "$program"; done
}

# A directive of the module keeps `go install` from it, so it is built where it lies.
build_seaweedfs() (
  answer=$(go mod download -json "github.com/seaweedfs/seaweedfs@$SEAWEEDFS") || { echo "$answer" >&2; exit 1; }
  cd "$(sed -nE 's/^\s*"Dir": "(.*)",$/\1/p' <<<"$answer")"
  go build -mod=readonly -buildvcs=false -trimpath -ldflags "-s -w" -o "$BIN/" ./weed
)

install() {
  command -v go >/dev/null || { echo "go is needed to build SeaweedFS and MinIO" >&2; exit 1; }
  mkdir -p "$BIN"
  export GOBIN="$BIN" GOCACHE="$CACHE/go-build"
  [[ -x "$BIN/weed" ]] || build_seaweedfs
  [[ -x "$BIN/minio" ]] || go install -trimpath -ldflags "-s -w" "github.com/minio/minio@$MINIO"
  [[ -x "$BIN/mc" ]] || go install -trimpath -ldflags "-s -w" "github.com/minio/mc@$MC"
}

# A port that nobody listens on, below those that the system gives out by itself.
free_port() {
  local port
  while port=$((RANDOM % 12000 + 20000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  echo "$port"
}

start_seaweedfs() {
  local master grpc
  master=$(free_port) grpc=$(free_port)
  echo "127.0.0.1:$master.$grpc" >"$DIR/master"
  # It reports home unless it is told not to.
  exec "$BIN/weed" -logtostderr=true -v=0 server -dir "$DIR" -ip 127.0.0.1 -ip.bind 127.0.0.1 -master.telemetry=false \
    -master.port "$master" -master.port.grpc "$grpc" -master.volumeSizeLimitMB 64 -volume.max 60 -volume.preStopSeconds 0 \
    -volume.port "$(free_port)" -volume.port.grpc "$(free_port)" \
    -filer -filer.port "$(free_port)" -filer.port.grpc "$(free_port)" -filer.localSocket "$DIR/filer.sock" \
    -s3 -s3.port "$PORT" -s3.port.grpc "$(free_port)" -s3.port.iceberg 0 -s3.port.lance 0 -s3.localSocket "$DIR/s3.sock"
}

start_minio() {
  export MINIO_ROOT_USER="$AWS_ACCESS_KEY_ID" MINIO_ROOT_PASSWORD="$AWS_SECRET_ACCESS_KEY"
  export MINIO_BROWSER=off MINIO_UPDATE=off HOME="$DIR"
  exec "$BIN/minio" server --quiet --address "127.0.0.1:$PORT" --config-dir "$DIR/config" "$DIR/data"
}

case "${1:-}" in
  check)
    absent=$(missing | paste -sd ' ')
    [[ -z "$absent" ]] || { echo "not installed: $absent (run live.sh install)" >&2; exit 1; }
    "$BIN/weed" version | sed -nE 's/^version .* ([0-9]+\.[0-9]+) .*/\1/p'
    ;;
  install)
    install
    ;;
  start)
    "start_${STORE:-seaweedfs}"
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
