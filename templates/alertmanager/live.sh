#!/usr/bin/env bash
# check | install | start: a real server on 127.0.0.1:$PORT with its data in $DIR. Its configuration has two receivers,
# one with a key in its address, and critical alerts inhibit warnings of the same name.
set -euo pipefail

case "${1:-}" in
  check)
    for program in prometheus-alertmanager nginx openssl; do
      command -v "$program" >/dev/null || { echo "$program is not installed: run live.sh install" >&2; exit 1; }
    done
    prometheus-alertmanager --version 2>&1 | sed -nE 's/^alertmanager, version ([0-9.]+).*/\1/p'
    ;;
  install)
    # The packages would start servers of their own; in runlevel 1 they do not.
    RUNLEVEL=1 apt-get install -y --no-install-recommends prometheus-alertmanager nginx-light openssl
    ;;
  start)
    cat >"$DIR/alertmanager.yml" <<'CONFIG'
route:
  receiver: team-web
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  routes:
    - {receiver: team-db, matchers: ['team="db"']}
receivers:
  - name: team-web
  - name: team-db
    webhook_configs: [{url: "http://127.0.0.1:1/hook?key=key-of-the-receiver"}]
inhibit_rules:
  - {source_matchers: ['severity="critical"'], target_matchers: ['severity="warning"'], equal: [alertname]}
CONFIG
    exec prometheus-alertmanager --config.file="$DIR/alertmanager.yml" --storage.path="$DIR/data" \
      --web.listen-address="127.0.0.1:$PORT" --cluster.listen-address= --log.level=error
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
