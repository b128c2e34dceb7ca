#!/usr/bin/env bash
# Build the deploy app's environment once per machine and requirements, apart from the training one, and print its folder.
# With --find only say where it is, and fail where it is not.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
key=$(sha256sum <scripts/deploy_app/requirements.txt | cut -c1-12)
home=${SCANGEN_ENV_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/scangen_bundle}
env=$home/deploy-py$version-$key

if [ "${1:-}" = --find ]; then
  [ -e "$env/complete" ] || exit 1
  echo "$env"
  exit
fi
mkdir -p "$home"
exec 9>"$home/deploy-lock"
flock 9
if [ ! -e "$env/complete" ]; then
  echo "building $env (once; about 2 GB, some minutes)" >&2
  rm -rf "$env"
  "$python" -m venv "$env"
  "$env/bin/python" -m pip install --quiet --upgrade "pip>25.1" >&2
  "$env/bin/python" -m pip install --quiet -r scripts/deploy_app/requirements.txt >&2
  touch "$env/complete"
fi
echo "$env"
