#!/usr/bin/env bash
# check | install | start: a real FastAPI service on 127.0.0.1:$PORT, with its API key in $API_KEY.
set -euo pipefail

fastapi=0.163.2
uvicorn=0.54.0
venv="${XDG_CACHE_HOME:-$HOME/.cache}/topogate/fastapi-$fastapi"
here="$(cd "$(dirname "$0")" && pwd)"

case "${1:-}" in
  check)
    command -v nginx >/dev/null || { echo "nginx is not installed: run live.sh install" >&2; exit 1; }
    [[ -x "$venv/bin/uvicorn" ]] || { echo "FastAPI is not installed: run live.sh install" >&2; exit 1; }
    "$venv/bin/python" -c 'import fastapi, uvicorn; print(f"{fastapi.__version__} on uvicorn {uvicorn.__version__}")'
    ;;
  install)
    apt-get install -y --no-install-recommends nginx-light python3-venv
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "fastapi==$fastapi" "uvicorn==$uvicorn"
    ;;
  start)
    cd "$here"
    export PYTHONDONTWRITEBYTECODE=1
    exec "$venv/bin/uvicorn" live-app:app --host 127.0.0.1 --port "$PORT" --log-level warning --no-access-log
    ;;
  *)
    echo "usage: live.sh check|install|start" >&2
    exit 2
    ;;
esac
