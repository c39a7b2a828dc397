#!/usr/bin/env bash
# check | install: what the suite over emitted manifests needs beside a kube-apiserver: the definitions of the custom
# resources that manifests use, copied from the projects' published Go modules into the user's cache.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
KUBERNETES="$HERE/../../../templates/kubernetes/live.sh"
DEFINITIONS="${XDG_CACHE_HOME:-$HOME/.cache}/topogate/definitions"

# module@version, then the files in it.
SOURCES=(
  "sigs.k8s.io/gateway-api@v1.4.1 config/crd/standard/*.yaml"
  "github.com/external-secrets/external-secrets@v1.3.2 config/crds/bases/external-secrets.io_*secrets.yaml"
  "github.com/traefik/traefik/v3@v3.6.0 docs/content/reference/dynamic-configuration/traefik.io_*.yaml"
  "github.com/argoproj/argo-cd/v3@v3.2.0 manifests/crds/app*-crd.yaml"
  "github.com/fluxcd/kustomize-controller@v1.7.3 config/crd/bases/*.yaml"
)

folder_of() { echo "$DEFINITIONS/$(tr '/@' '--' <<<"${1%% *}")"; }

missing() {
  for source in "${SOURCES[@]}"; do [[ -d "$(folder_of "$source")" ]] || echo "${source%% *}"; done
}

module_folder() {
  local answer
  answer=$(cd "$DEFINITIONS" && GOFLAGS=-mod=mod go mod download -json "$1") || { echo "$answer" >&2; return 1; }
  sed -nE 's/^\s*"Dir": "(.*)",$/\1/p' <<<"$answer"
}

copy_definitions() {
  local module=${1%% *} pattern=${1#* } from to
  to=$(folder_of "$1")
  from=$(module_folder "$module")
  mkdir -p "$to.part"
  # The pattern must be expanded.
  # shellcheck disable=SC2086
  cp "$from"/$pattern "$to.part/"
  chmod -R u+w "$to.part"
  rm -rf "$to"
  mv "$to.part" "$to"
}

case "${1:-}" in
  check)
    absent=$(missing | paste -sd ' ')
    [[ -z "$absent" ]] || { echo "not there: definitions of $absent (run live.sh install)" >&2; exit 1; }
    bash "$KUBERNETES" check
    ;;
  install)
    bash "$KUBERNETES" install
    mkdir -p "$DEFINITIONS"
    for source in "${SOURCES[@]}"; do [[ -d "$(folder_of "$source")" ]] || copy_definitions "$source"; done
    ;;
  *)
    echo "usage: live.sh check|install" >&2
    exit 2
    ;;
esac
