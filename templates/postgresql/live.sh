#!/usr/bin/env bash
# The real server for the live suite: check, install, start (PORT and DIR are set).
set -euo pipefail

binaries() {
  local found
  found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
  [ -x "$found/postgres" ] && echo "$found"
}

# The server refuses to run as root, so root hands over to the account that the package made.
unprivileged() {
  if [ "$(id -u)" -eq 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi
}

case "${1:-}" in
  check)
    bin=$(binaries) && "$bin/postgres" --version
    ;;
  install)
    apt-get install -y postgresql
    ;;
  start)
    bin=$(binaries)
    data="$DIR/data"
    mkdir -p "$data"
    (umask 077 && echo "${ADMIN_PASSWORD:-postgres}" >"$DIR/password")
    if [ "$(id -u)" -eq 0 ]; then chown -R postgres "$DIR"; fi
    unprivileged "$bin/initdb" -D "$data" -U postgres --auth-local=trust --auth-host=scram-sha-256 \
      --encoding=UTF8 --locale=C.UTF-8 --no-sync --pwfile="$DIR/password" >/dev/null
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=postgresql -addext subjectAltName=IP:127.0.0.1 \
      -keyout "$data/server.key" -out "$DIR/server.crt" 2>/dev/null
    chmod 600 "$data/server.key"
    chmod 755 "$DIR"
    if [ "$(id -u)" -eq 0 ]; then chown postgres "$data/server.key"; fi
    start=("$bin/postgres" -D "$data" -p "$PORT" -c listen_addresses=127.0.0.1 -c "unix_socket_directories=$DIR"
      -c ssl=on -c "ssl_cert_file=$DIR/server.crt" -c fsync=off -c max_connections=40 -c shared_preload_libraries=pg_stat_statements)
    if [ "$(id -u)" -eq 0 ]; then exec setpriv --reuid=postgres --regid=postgres --init-groups "${start[@]}"; fi
    exec "${start[@]}"
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 64
    ;;
esac
