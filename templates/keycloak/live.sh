#!/usr/bin/env bash
# check | install | start: a real Keycloak on 127.0.0.1:$PORT with its data in $DIR.
set -euo pipefail

version=26.0.7
home="${XDG_CACHE_HOME:-$HOME/.cache}/topogate/keycloak-$version"
# Built once, so that a start neither compiles nor makes a schema.
options=(--db=dev-file --health-enabled=true)
serve=(--optimized --cache=local --http-enabled=true --hostname-strict=false --http-host=127.0.0.1)

wait_for() {
  for _ in $(seq 300); do
    curl -sf -o /dev/null "$1" && return
    sleep 1
  done
  echo "Keycloak did not start" >&2
  return 1
}

case "${1:-}" in
  check)
    command -v java >/dev/null || { echo "java is not installed: run live.sh install" >&2; exit 1; }
    [[ -f "$home/seed/keycloakdb.mv.db" ]] || { echo "Keycloak is not installed: run live.sh install" >&2; exit 1; }
    echo "$version"
    ;;
  install)
    command -v java mvn unzip curl >/dev/null || apt-get install -y --no-install-recommends openjdk-17-jre-headless maven unzip curl
    work="$(mktemp -d)"
    trap 'rm -rf "$work"' EXIT
    mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
      -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$work"
    rm -rf "$home"
    mkdir -p "$home"
    unzip -q "$work/keycloak-quarkus-dist-$version.zip" -d "$work"
    mv "$work/keycloak-$version"/* "$home/"
    "$home/bin/kc.sh" build "${options[@]}"
    KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD="seed-of-the-live-suite" \
      "$home/bin/kc.sh" start "${serve[@]}" --http-port=18765 &
    wait_for http://127.0.0.1:18765/realms/master
    kill %1
    wait || true
    mkdir -p "$home/seed"
    mv "$home/data/h2/keycloakdb.mv.db" "$home/seed/"
    ;;
  start)
    cp "$home/seed/keycloakdb.mv.db" "$DIR/keycloakdb.mv.db"
    export JAVA_OPTS_KC_HEAP="-Xms128m -Xmx768m"
    exec "$home/bin/kc.sh" start "${serve[@]}" --http-port="$PORT" --http-management-port="$MANAGEMENT_PORT" \
      --db-url="jdbc:h2:file:$DIR/keycloakdb;NON_KEYWORDS=VALUE;AUTO_SERVER=FALSE" --log-level=warn
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
