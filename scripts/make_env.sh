#!/usr/bin/env bash
# Build the virtual environment once per machine and requirements, and link it into this checkout as .venv.
# The folder is named by a hash of what goes in, so another clone (or CI) finds and reuses it.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
  echo "error: Python 3.10 or newer is needed, found $version ($python); set PYTHON=/path/to/python3.11" >&2
  exit 1
}
key=$(cat requirements.txt requirements-dev.txt scripts/make_env.sh | sha256sum | cut -c1-12)
home=${SCANGEN_ENV_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/scangen_bundle}
env=$home/py$version-$key

mkdir -p "$home"
exec 9>"$home/lock"
flock 9 # two clones started at once: the second waits and finds the first one's result
if [ ! -e "$env/complete" ]; then
  echo "building $env (once; about 5 GB, some minutes)"
  rm -rf "$env"
  "$python" -m venv "$env"
  "$env/bin/python" -m pip install --quiet --upgrade "pip>=25.1"
  "$env/bin/python" -m pip install --quiet -r requirements-dev.txt
  # The optional cuCIM reader, without the gigabytes of CUDA libraries that its wheel asks for and reading does not need.
  "$env/bin/python" -m pip install --quiet --no-deps cucim-cu12==26.10.0 || echo "cuCIM is not to be had here; its reader is left out" >&2
  touch "$env/complete"
fi
if [ -d .venv ] && [ ! -L .venv ]; then
  echo "error: .venv is a folder that this project did not make; move it away and run make again" >&2
  exit 1
fi
ln -sfn "$env" .venv
