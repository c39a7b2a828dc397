#!/usr/bin/env bash
# check | install | start: a real kube-apiserver over etcd on 127.0.0.1:$PORT with its data in $DIR.
#
# There is no kubelet, no scheduler and no controller: what a test wants to see, it writes through the API.
# The binaries are built from the published Go modules into the user's cache, outside this repository.
set -euo pipefail

KUBERNETES=1.34.1
KUSTOMIZE=5.7.1
KUBECONFORM=0.7.0

CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/topogate"
BIN="$CACHE/bin"
BUILT=(kube-apiserver kubectl kustomize kubeconform)
# No process of the test may find the cluster of the person who runs it.
unset KUBECONFIG

missing() {
  for program in "${BUILT[@]}"; do [[ -x "$BIN/$program" ]] || echo "$program"; done
  command -v etcd >/dev/null || echo etcd
  command -v openssl >/dev/null || echo openssl
}

# The module's own directives point at folders that its zip leaves out; the same code is published as k8s.io/*.
build_kubernetes() (
  folder=$(mktemp -d)
  trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
  cd "$folder"
  export GOFLAGS="-mod=mod -buildvcs=false"
  answer=$(go mod download -json "k8s.io/kubernetes@v$KUBERNETES") || { echo "$answer" >&2; exit 1; }
  module=$(sed -nE 's/^\s*"Dir": "(.*)",$/\1/p' <<<"$answer")
  cp -r "$module"/{api,cmd,pkg,plugin,test,third_party,go.mod,go.sum} .
  chmod -R u+w .
  sed -i -E "s#=> \./staging/src/(k8s\.io/[a-z0-9-]+)#=> \1 v0.${KUBERNETES#1.}#" go.mod
  stamp="-X k8s.io/component-base/version.gitVersion=v$KUBERNETES"
  stamp+=" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(cut -d. -f2 <<<"$KUBERNETES")"
  go build -trimpath -ldflags "-s -w $stamp" -o "$BIN/" ./cmd/kube-apiserver ./cmd/kubectl
)

install() {
  command -v go >/dev/null || { echo "go is needed to build kube-apiserver" >&2; exit 1; }
  command -v etcd >/dev/null || apt-get install -y --no-install-recommends etcd-server
  command -v openssl >/dev/null || apt-get install -y --no-install-recommends openssl
  mkdir -p "$BIN"
  export GOBIN="$BIN" GOCACHE="$CACHE/go-build"
  [[ -x "$BIN/kube-apiserver" && -x "$BIN/kubectl" ]] || build_kubernetes
  [[ -x "$BIN/kustomize" ]] || go install "sigs.k8s.io/kustomize/kustomize/v5@v$KUSTOMIZE"
  [[ -x "$BIN/kubeconform" ]] || go install "github.com/yannh/kubeconform/cmd/kubeconform@v$KUBECONFORM"
}

# An administrator for the test, and the key that signs the tokens of service accounts.
write_identities() {
  umask 077
  openssl ecparam -name prime256v1 -genkey -noout -out "$DIR/service-accounts.key"
  openssl rand -hex 24 >"$DIR/admin.token"
  echo "$(cat "$DIR/admin.token"),admin,admin,system:masters" >"$DIR/tokens.csv"
}

write_kubeconfig() {
  cat >"$DIR/kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
current-context: live
clusters: [{name: live, cluster: {server: "https://127.0.0.1:$PORT", certificate-authority: "$DIR/apiserver.crt"}}]
users: [{name: admin, user: {tokenFile: "$DIR/admin.token"}}]
contexts: [{name: live, context: {cluster: live, user: admin}}]
CONFIG
}

# Sockets in $DIR, whose names must look like a port; the server is the only one who can find them. When the server
# is gone, however it went, so is its store.
start_etcd() {
  (cd "$DIR" && exec etcd --name live --data-dir "$DIR/etcd" --unsafe-no-fsync --log-level error \
    --listen-client-urls "unix://localhost:1" --advertise-client-urls "unix://localhost:1" \
    --listen-peer-urls "unix://localhost:2" --initial-advertise-peer-urls "unix://localhost:2" \
    --initial-cluster "live=unix://localhost:2") &
  local etcd=$!
  (while kill -0 "$$" 2>/dev/null && kill -0 "$etcd" 2>/dev/null; do sleep 1; done; kill "$etcd" 2>/dev/null || true) &
}

case "${1:-}" in
  check)
    absent=$(missing | paste -sd ' ')
    [[ -z "$absent" ]] || { echo "not installed: $absent (run live.sh install)" >&2; exit 1; }
    "$BIN/kube-apiserver" --version | sed 's/^Kubernetes v//'
    ;;
  install)
    install
    ;;
  start)
    write_identities
    write_kubeconfig
    start_etcd
    cd "$DIR"
    exec "$BIN/kube-apiserver" --bind-address 127.0.0.1 --secure-port "$PORT" --cert-dir "$DIR" \
      --etcd-servers "unix://localhost:1" --etcd-prefix /live \
      --authorization-mode RBAC --token-auth-file "$DIR/tokens.csv" --anonymous-auth=false \
      --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$DIR/service-accounts.key" \
      --service-account-signing-key-file "$DIR/service-accounts.key" --service-cluster-ip-range 10.96.0.0/16 \
      --disable-admission-plugins ServiceAccount --allow-privileged=true --event-ttl 24h -v 0
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
