#!/usr/bin/env bash
# check | install | start: ClickHouse's HTTP interface on 127.0.0.1:$PORT with its data in $DIR and the accounts of
# $ACCOUNTS. No registry has the server's own package, so this is the server code inside the library of chdb:
# clickhouse-local with its listener switched on. It has users.xml, profiles, quotas and grants, but keeps no account
# that is made with SQL.
set -euo pipefail

RELEASE=26.7.3-stable.1
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/topogate/chdb-$RELEASE"
LIBRARY="$CACHE/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"

RUN='
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
arguments = [word.encode() for word in ["clickhouse", *sys.argv[2:]]]
library.chdb_query_cmdline.restype = ctypes.c_void_p
result = library.chdb_query_cmdline(len(arguments), (ctypes.c_char_p * len(arguments))(*arguments))
library.chdb_result_error.restype = ctypes.c_char_p
library.chdb_result_error.argtypes = [ctypes.c_void_p]
print((library.chdb_result_error(result) or b"").decode() or "ended", file=sys.stderr)
sys.exit(1)
'

case "${1:-}" in
  check)
    command -v python3 >/dev/null || { echo "python3 is not installed: run live.sh install" >&2; exit 1; }
    [[ -f "$LIBRARY" ]] || { echo "chdb $RELEASE is not installed: run live.sh install" >&2; exit 1; }
    echo "$RELEASE"
    ;;
  install)
    command -v python3 >/dev/null || apt-get install -y --no-install-recommends python3-minimal libpython3-stdlib
    mkdir -p "$CACHE"
    npm install --prefix "$CACHE" --no-save --no-audit --no-fund --ignore-scripts "@chdb/lib-linux-x64-gnu@$RELEASE"
    ;;
  start)
    mkdir -p "$DIR/users.d"
    cat >"$DIR/config.xml" <<CONFIG
<clickhouse>
  <listen_host>127.0.0.1</listen_host>
  <http_port>$PORT</http_port>
  <users_config>$DIR/users.xml</users_config>
</clickhouse>
CONFIG
    cat >"$DIR/users.xml" <<'USERS'
<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password/>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
    </default>
  </users>
</clickhouse>
USERS
    cp "$ACCOUNTS" "$DIR/users.d/accounts.xml"
    # The listener lives as long as the query that follows it.
    exec python3 -c "$RUN" "$LIBRARY" --config-file="$DIR/config.xml" --path="$DIR/data" --query "SYSTEM START LISTEN HTTP;
      SELECT sleepEachRow(1) FROM numbers(1000000) SETTINGS max_block_size = 1 FORMAT Null"
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
