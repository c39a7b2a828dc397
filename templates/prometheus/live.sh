#!/usr/bin/env bash
# check | install | start: a real server on 127.0.0.1:$PORT with its data in $DIR. It scrapes itself, a port
# that nobody opens, and $METRICS_PORT when that is given.
set -euo pipefail

write_rules() {
  cat >"$DIR/rules.yml" <<'RULES'
groups:
  - name: totals
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - record: broken:rule
        expr: up * on () up
  - name: health
    rules:
      - alert: TargetDown
        expr: up == 0
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.job }} does not answer"}
      - alert: AlwaysPending
        expr: vector(1)
        for: 1h
        labels: {severity: info}
        annotations: {description: "waits for an hour"}
RULES
}

write_config() {
  cat >"$DIR/prometheus.yml" <<CONFIG
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ["127.0.0.1:$PORT"]}]
  - job_name: absent
    static_configs: [{targets: ["127.0.0.1:1"]}]
CONFIG
  if [[ -n "${METRICS_PORT:-}" ]]; then
    cat >>"$DIR/prometheus.yml" <<CONFIG
  - job_name: synthetic
    scrape_interval: 2s
    static_configs: [{targets: ["127.0.0.1:$METRICS_PORT"]}]
CONFIG
  fi
}

case "${1:-}" in
  check)
    for program in prometheus nginx openssl; do
      command -v "$program" >/dev/null || { echo "$program is not installed: run live.sh install" >&2; exit 1; }
    done
    prometheus --version 2>&1 | sed -nE 's/^prometheus, version ([0-9.]+).*/\1/p'
    ;;
  install)
    apt-get install -y --no-install-recommends prometheus nginx-light openssl
    ;;
  start)
    write_rules
    write_config
    # Everything that changes the server is open, so that it is the account and the tools that keep out.
    exec prometheus --web.enable-admin-api --web.enable-lifecycle --web.enable-remote-write-receiver --config.file "$DIR/prometheus.yml" --storage.tsdb.path "$DIR/data" \
      --web.listen-address "127.0.0.1:$PORT" --log.level warn
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
