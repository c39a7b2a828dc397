#!/usr/bin/env bash
# check | install | start: a real broker in KRaft mode on 127.0.0.1 with its data in $DIR. $PORT is open and belongs
# to the administrator; $CLIENT_PORT wants SCRAM, $TLS_PORT wants SCRAM over TLS; $CONTROLLER_PORT is the broker's own.
#
# The released jars come from Maven's central repository into the user's cache, outside this repository.
set -euo pipefail

KAFKA=4.1.1
LOG4J=2.24.3
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/topogate/kafka-$KAFKA"

install() {
  command -v java >/dev/null || apt-get install -y --no-install-recommends default-jre-headless
  command -v mvn >/dev/null || apt-get install -y --no-install-recommends maven
  command -v openssl >/dev/null || apt-get install -y --no-install-recommends openssl
  local folder
  folder=$(mktemp -d)
  trap "rm -rf '$folder'" EXIT
  cat >"$folder/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>live</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>$LOG4J</version></dependency>
  </dependencies>
</project>
POM
  mvn -q -B -f "$folder/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$folder/lib"
  rm -rf "$CACHE"
  mkdir -p "$CACHE"
  mv "$folder/lib" "$CACHE/lib"
}

write_config() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout "$DIR/server.key" -out "$DIR/server.crt" 2>/dev/null
  cat "$DIR/server.key" "$DIR/server.crt" >"$DIR/server.pem"
  cat >"$DIR/log4j2.properties" <<'LOG'
appender.err.type = Console
appender.err.name = err
appender.err.target = SYSTEM_ERR
appender.err.layout.type = PatternLayout
appender.err.layout.pattern = %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.err.ref = err
LOG
  cat >"$DIR/server.properties" <<CONFIG
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$CONTROLLER_PORT
listeners=ADMIN://127.0.0.1:$PORT,CLIENT://127.0.0.1:$CLIENT_PORT,SECURE://127.0.0.1:$TLS_PORT,CONTROLLER://127.0.0.1:$CONTROLLER_PORT
advertised.listeners=ADMIN://127.0.0.1:$PORT,CLIENT://127.0.0.1:$CLIENT_PORT,SECURE://localhost:$TLS_PORT
controller.listener.names=CONTROLLER
inter.broker.listener.name=ADMIN
listener.security.protocol.map=ADMIN:PLAINTEXT,CLIENT:SASL_PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=$DIR/server.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
log.dirs=$DIR/data
auto.create.topics.enable=true
message.max.bytes=16777216
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
CONFIG
}

run() { java -cp "$CACHE/lib/*" "$@"; }

case "${1:-}" in
  check)
    for program in java openssl; do
      command -v "$program" >/dev/null || { echo "$program is not installed: run live.sh install" >&2; exit 1; }
    done
    [[ -f "$CACHE/lib/kafka_2.13-$KAFKA.jar" ]] || { echo "Kafka $KAFKA is not installed: run live.sh install" >&2; exit 1; }
    echo "$KAFKA"
    ;;
  install) install ;;
  start)
    write_config
    export JAVA_TOOL_OPTIONS="-Dlog4j2.configurationFile=$DIR/log4j2.properties"
    run kafka.tools.StorageTool format -t "$(run kafka.tools.StorageTool random-uuid 2>/dev/null)" -c "$DIR/server.properties" >/dev/null
    exec java -Xmx768m -cp "$CACHE/lib/*" kafka.Kafka "$DIR/server.properties"
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
