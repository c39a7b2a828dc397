#!/usr/bin/env bash
# check | install | start: a real Argo CD on 127.0.0.1:$PORT: API server, controller and repository server, with a Redis
# of its own and its data in $DIR, over the cluster of $KUBECONFIG. Its repositories are in $DIR/git.
#
# The program is built from the published Go module into the user's cache, outside this repository.
set -euo pipefail

ARGOCD=3.2.11

CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/topogate"
BIN="$CACHE/bin"
MODULE="github.com/argoproj/argo-cd/v3@v$ARGOCD"

missing() {
  [[ -x "$BIN/argocd" ]] || echo argocd
  for program in redis-server git kubectl; do
    command -v "$program" >/dev/null || [[ -x "$BIN/$program" ]] || echo "$program"
  done
}

folder_of_module() {
  go mod download -json "$MODULE" | sed -nE 's/^\s*"Dir": "(.*)",$/\1/p'
}

# The module's replacements count only in the main module, so one is made that has the same.
build() (
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  module=$(folder_of_module)
  cd "$folder"
  sed -e 's#^module .*#module argocd#' "$module/go.mod" >go.mod
  cp "$module/go.sum" .
  go mod edit -require "$MODULE"
  cat >main.go <<'GO'
package main

import (
	"os"
	"path/filepath"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	repository "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	server "github.com/argoproj/argo-cd/v3/cmd/argocd-server/commands"
	"github.com/spf13/cobra"
)

func main() {
	var command *cobra.Command
	switch filepath.Base(os.Args[0]) {
	case "argocd-server":
		command = server.NewCommand()
	case "argocd-repo-server":
		command = repository.NewCommand()
	default:
		command = controller.NewCommand()
	}
	if command.Execute() != nil {
		os.Exit(1)
	}
}
GO
  stamp="-X github.com/argoproj/argo-cd/v3/common.version=$ARGOCD"
  go build -mod=mod -buildvcs=false -trimpath -ldflags "-s -w $stamp" -o "$BIN/argocd" .
  mkdir -p "$CACHE/argocd-$ARGOCD"
  cp "$module"/manifests/crds/{application,applicationset,appproject}-crd.yaml "$CACHE/argocd-$ARGOCD/"
  chmod -R u+w "$CACHE/argocd-$ARGOCD"
)

install() {
  command -v go >/dev/null || { echo "go is needed to build Argo CD" >&2; exit 1; }
  command -v redis-server >/dev/null || apt-get install -y --no-install-recommends redis-server
  command -v git >/dev/null || apt-get install -y --no-install-recommends git
  mkdir -p "$BIN"
  export GOCACHE="$CACHE/go-build"
  [[ -x "$BIN/argocd" ]] || build
  command -v kubectl >/dev/null || [[ -x "$BIN/kubectl" ]] || echo "kubectl comes with the live suite of kubernetes" >&2
}

# A port that nobody listens on, below those that the system gives out by itself.
free_port() {
  local port
  while port=$((RANDOM % 12000 + 20000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  echo "$port"
}

# Everything in one call: an account's rules are added later, as its README says.
objects() {
  echo '{apiVersion: v1, kind: Namespace, metadata: {name: argocd}}'
  for object in ConfigMap/argocd-{cm,rbac-cm,gpg-keys-cm,ssh-known-hosts-cm,tls-certs-cm} Secret/argocd-secret; do
    echo "---"
    echo "{apiVersion: v1, kind: ${object%/*}, metadata: {name: ${object#*/}, namespace: argocd, labels: {app.kubernetes.io/part-of: argocd}}}"
  done
}

prepare_cluster() {
  kubectl apply --server-side -f "$CACHE/argocd-$ARGOCD/" >/dev/null
  objects | kubectl apply --server-side -f - >/dev/null
}

case "${1:-}" in
  check)
    absent=$(missing | paste -sd ' ')
    [[ -z "$absent" ]] || { echo "not installed: $absent (run live.sh install)" >&2; exit 1; }
    echo "$ARGOCD"
    ;;
  install)
    install
    ;;
  start)
    export PATH="$BIN:$PATH" HOME="$DIR" TMPDIR="$DIR/tmp" ARGOCD_FAKE_IN_CLUSTER=true ARGOCD_GPG_ENABLED=false
    export ARGOCD_TLS_DATA_PATH="$DIR/tls" ARGOCD_SSH_DATA_PATH="$DIR/ssh"
    mkdir -p "$DIR"/{tmp,git,tls,ssh,bin}
    for name in argocd-server argocd-repo-server argocd-application-controller; do ln -s "$BIN/argocd" "$DIR/bin/$name"; done
    prepare_cluster
    redis=$(free_port) repository=$(free_port)
    redis-server --bind 127.0.0.1 --port "$redis" --dir "$DIR" --save "" --appendonly no >"$DIR/redis.log" &
    "$DIR/bin/argocd-repo-server" --address 127.0.0.1 --port "$repository" --metrics-address 127.0.0.1 \
      --metrics-port "$(free_port)" --disable-tls --redis "127.0.0.1:$redis" --loglevel warn >"$DIR/repo-server.log" 2>&1 &
    "$DIR/bin/argocd-application-controller" --namespace argocd --metrics-port "$(free_port)" --repo-server "127.0.0.1:$repository" \
      --repo-server-plaintext --redis "127.0.0.1:$redis" --loglevel warn >"$DIR/controller.log" 2>&1 &
    exec "$DIR/bin/argocd-server" --namespace argocd --insecure --address 127.0.0.1 --port "$PORT" --metrics-address 127.0.0.1 \
      --metrics-port "$(free_port)" --repo-server "127.0.0.1:$repository" --repo-server-plaintext --redis "127.0.0.1:$redis" \
      --application-namespaces "${APPLICATION_NAMESPACES:-}" --loglevel warn
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
