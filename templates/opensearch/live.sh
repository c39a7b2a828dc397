#!/usr/bin/env bash
# check | install | start: a real OpenSearch with its security plugin on https://127.0.0.1:$PORT with its data in $DIR.
# $DIR/server.crt is the authority of its certificate, and admin/admin its administrator.
#
# The released jars come from Maven's central repository into the user's cache, outside this repository.
set -euo pipefail

OPENSEARCH=2.19.4
# One small jar that was published with other versions only.
CLASSLOADER=2.19.6
LOG4J=2.21.0
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/topogate/opensearch-$OPENSEARCH"
PLUGIN="$CACHE/plugins/opensearch-security"

install() {
  command -v java >/dev/null || apt-get install -y --no-install-recommends default-jre-headless
  command -v mvn >/dev/null || apt-get install -y --no-install-recommends maven
  for program in openssl unzip curl jq; do
    command -v "$program" >/dev/null || apt-get install -y --no-install-recommends "$program"
  done
  local folder
  folder=$(mktemp -d)
  trap "rm -rf '$folder'" EXIT
  cat >"$folder/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>live</groupId><artifactId>opensearch</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.opensearch</groupId><artifactId>opensearch</artifactId><version>$OPENSEARCH</version></dependency>
    <dependency><groupId>org.opensearch</groupId><artifactId>opensearch-plugin-classloader</artifactId><version>$CLASSLOADER</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>$LOG4J</version></dependency>
    <dependency><groupId>org.opensearch.plugin</groupId><artifactId>opensearch-security</artifactId><version>$OPENSEARCH.0</version><type>zip</type></dependency>
  </dependencies>
</project>
POM
  mvn -q -B -f "$folder/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$folder/lib"
  rm -rf "$CACHE"
  mkdir -p "$PLUGIN"
  unzip -q "$folder/lib/opensearch-security-$OPENSEARCH.0.zip" -d "$PLUGIN"
  rm "$folder/lib/opensearch-security-$OPENSEARCH.0.zip"
  mv "$folder/lib" "$CACHE/lib"
}

write_config() {
  mkdir -p "$DIR/home/modules" "$DIR/config" "$DIR/data" "$DIR/logs"
  ln -s "$CACHE/lib" "$DIR/home/lib"
  ln -s "$CACHE/plugins" "$DIR/home/plugins"
  cp -r "$PLUGIN/config" "$DIR/config/opensearch-security"
  # The shipped mapping gives every user an index of its own, bulk and scroll; the account's README says to take it away.
  sed -i '/^own_index:/,/^$/d' "$DIR/config/opensearch-security/roles_mapping.yml"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=localhost/O=live" \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$DIR/config/server.key" -out "$DIR/config/server.crt" 2>/dev/null
  cp "$DIR/config/server.crt" "$DIR/server.crt"
  cat >"$DIR/config/opensearch.yml" <<CONFIG
cluster.name: live
node.name: live
discovery.type: single-node
network.host: 127.0.0.1
http.port: $PORT
transport.port: $TRANSPORT_PORT
path.data: $DIR/data
path.logs: $DIR/logs
cluster.routing.allocation.disk.threshold_enabled: false
cluster.max_shards_per_node: 5000
plugins.security.ssl.transport.pemcert_filepath: server.crt
plugins.security.ssl.transport.pemkey_filepath: server.key
plugins.security.ssl.transport.pemtrustedcas_filepath: server.crt
plugins.security.ssl.transport.enforce_hostname_verification: false
plugins.security.ssl.http.enabled: true
plugins.security.ssl.http.pemcert_filepath: server.crt
plugins.security.ssl.http.pemkey_filepath: server.key
plugins.security.ssl.http.pemtrustedcas_filepath: server.crt
plugins.security.nodes_dn: ["CN=localhost,O=live"]
plugins.security.allow_default_init_securityindex: true
plugins.security.restapi.roles_enabled: [all_access]
CONFIG
  cat >"$DIR/config/log4j2.properties" <<'LOG'
appender.err.type = Console
appender.err.name = err
appender.err.target = SYSTEM_ERR
appender.err.layout.type = PatternLayout
appender.err.layout.pattern = %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.err.ref = err
LOG
}

case "${1:-}" in
  check)
    for program in java openssl curl jq; do
      command -v "$program" >/dev/null || { echo "$program is not installed: run live.sh install" >&2; exit 1; }
    done
    [[ -f "$CACHE/lib/opensearch-$OPENSEARCH.jar" ]] || { echo "OpenSearch $OPENSEARCH is not installed: run live.sh install" >&2; exit 1; }
    echo "$OPENSEARCH"
    ;;
  install) install ;;
  start)
    write_config
    cd "$DIR/home"
    # Without its native library the server neither locks memory nor asks who runs it, which in a container is root.
    exec java -Xms1g -Xmx1g -XX:+UseSerialGC -Djava.security.manager=allow -Djna.nosys=true -Djna.nounpack=true \
      -Djava.io.tmpdir="$DIR/data" -Dlog4j2.disable.jmx=true -Dopensearch.path.home="$DIR/home" -Dopensearch.path.conf="$DIR/config" \
      -Dopensearch.distribution.type=tar -Dopensearch.bundled_jdk=false -cp "lib/*" org.opensearch.bootstrap.OpenSearch
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
