#!/usr/bin/env bash
# Build the deploy app's environment once per machine and requirements, apart from the training one, and print its folder.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
key=$(cat scripts/deploy_app/requirements.txt scripts/make_deploy_env.sh | sha256sum | cut -c1-12)
home=${SCANGEN_ENV_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/scangen_bundle}
env=$home/deploy-py$version-$key

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
