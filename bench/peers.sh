#!/usr/bin/env bash
# install: other generators, outside of this repository; `bench -- peers` measures those that are there.
set -euo pipefail

HOME_OF_PEERS="${XDG_CACHE_HOME:-$HOME/.cache}/topogate/peers"
mkdir -p "$HOME_OF_PEERS"
cd "$HOME_OF_PEERS"
[[ -f package.json ]] || echo '{"private":true}' >package.json
npm install --no-audit --no-fund --save-exact openapi-mcp-generator@4.0.1 cdk8s@2.70.106 constructs@10.4.2 \
  @hey-api/openapi-ts@0.95.0 orval@7.13.2 typescript@5.9.3
