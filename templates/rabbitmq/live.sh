#!/usr/bin/env bash
# check | install | start: a real broker whose management API is on 127.0.0.1:$PORT, with its data in $DIR. Clients
# reach it at $AMQP_PORT; rabbitmqctl finds it with the HOME, RABBITMQ_NODENAME and ERL_EPMD_PORT of $DIR/node.env.
set -euo pipefail

home() {
  ls -d /usr/lib/rabbitmq/lib/rabbitmq_server-*/ 2>/dev/null | sort -V | tail -n 1
}

case "${1:-}" in
  check)
    for program in rabbitmqctl amqp-consume epmd; do
      command -v "$program" >/dev/null || { echo "$program is not installed: run live.sh install" >&2; exit 1; }
    done
    basename "$(home)" | sed -E 's/^rabbitmq_server-//'
    ;;
  install)
    # The package would start a broker of its own on every interface; in runlevel 1 it does not.
    RUNLEVEL=1 apt-get install -y --no-install-recommends rabbitmq-server amqp-tools
    ;;
  start)
    node="topogate$PORT@localhost"
    epmd_port="${EPMD_PORT:?}"
    export HOME="$DIR" RABBITMQ_NODENAME="$node" ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$epmd_port"
    printf 'HOME=%s\nPATH=%s\nRABBITMQ_NODENAME=%s\nERL_EPMD_PORT=%s\n' "$DIR" "$(home)sbin:$PATH" "$node" "$epmd_port" >"$DIR/node.env"
    cat >"$DIR/rabbitmq.conf" <<CONFIG
listeners.tcp.1 = 127.0.0.1:${AMQP_PORT:?}
management.tcp.ip = 127.0.0.1
management.tcp.port = $PORT
loopback_users.guest = true
collect_statistics_interval = 1000
log.console = true
log.console.level = warning
log.file = false
CONFIG
    echo '[rabbitmq_management].' >"$DIR/enabled_plugins"
    export RABBITMQ_CONFIG_FILE="$DIR/rabbitmq" RABBITMQ_ENABLED_PLUGINS_FILE="$DIR/enabled_plugins" \
      RABBITMQ_MNESIA_BASE="$DIR/mnesia" RABBITMQ_LOG_BASE="$DIR/log" RABBITMQ_DIST_PORT="${DIST_PORT:?}" \
      RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_ADVANCED_CONFIG_FILE="$DIR/none" \
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none'
    # A child of this process group, so that it ends with the broker; the broker would leave a daemon behind.
    epmd -address 127.0.0.1 -port "$epmd_port" &
    for _ in $(seq 100); do
      epmd -port "$epmd_port" -names >/dev/null 2>&1 && break
      sleep 0.1
    done
    exec "$(home)sbin/rabbitmq-server"
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
