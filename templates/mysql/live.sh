#!/usr/bin/env bash
# check | install | start: a real server on 127.0.0.1:$PORT with its data in $DIR, TLS on, and root's password in
# $DIR/.my.cnf. Programs without TLS may still connect: that a link insists on it is for the tools to show.
set -euo pipefail

# The server refuses to run as root, so root hands over to the account that the package made.
unprivileged() {
  if [ "$(id -u)" -eq 0 ]; then setpriv --reuid=mysql --regid=mysql --init-groups "$@"; else "$@"; fi
}

case "${1:-}" in
  check)
    for program in mariadbd mariadb mariadb-install-db openssl; do
      command -v "$program" >/dev/null || { echo "$program is not installed: run live.sh install" >&2; exit 1; }
    done
    mariadbd --version | sed -nE 's/.*Ver ([0-9.]+).*/\1/p'
    ;;
  install)
    # The package would start a server of its own; in runlevel 1 it does not.
    RUNLEVEL=1 apt-get install -y --no-install-recommends mariadb-server openssl
    ;;
  start)
    chmod 755 "$DIR"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mysql -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
      -keyout "$DIR/server.key" -out "$DIR/server.crt" 2>/dev/null
    (umask 077 && printf '[client]\nhost=127.0.0.1\nport=%s\nuser=root\npassword=%s\n' "$PORT" "${ADMIN_PASSWORD:-administrator}" >"$DIR/.my.cnf")
    mkdir -p "$DIR/data" "$DIR/files"
    chmod 755 "$DIR/files"
    echo "a file of the server" >"$DIR/files/readable.txt"
    cat >"$DIR/start.sql" <<SQL
ALTER USER root@localhost IDENTIFIED VIA mysql_native_password USING PASSWORD('${ADMIN_PASSWORD:-administrator}');
SQL
    if [ "$(id -u)" -eq 0 ]; then chown -R mysql "$DIR"; fi
    unprivileged mariadb-install-db --no-defaults --datadir="$DIR/data" --auth-root-authentication-method=normal --skip-test-db >/dev/null
    start=(mariadbd --no-defaults "--datadir=$DIR/data" "--port=$PORT" --bind-address=127.0.0.1 "--socket=$DIR/socket"
      "--pid-file=$DIR/pid" --skip-log-bin "--init-file=$DIR/start.sql" "--ssl-cert=$DIR/server.crt" "--ssl-key=$DIR/server.key"
      --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=256M --performance-schema=off --local-infile=on --userstat=1
      --max-allowed-packet=64M)
    if [ "$(id -u)" -eq 0 ]; then exec setpriv --reuid=mysql --regid=mysql --init-groups "${start[@]}"; fi
    exec "${start[@]}"
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
