#!/usr/bin/env bash
# Build the virtual environment once per machine and requirements, and a thin one for this checkout, .venv, that uses it.
# The shared folder is named by a hash of what goes in, so another clone (or CI) finds and reuses it. The thin one has the command
# `scangen` and this clone's package; a package that is installed with `.venv/bin/python -m pip` goes there, too.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
  echo "error: Python 3.10 or newer is needed, found $version ($python); set PYTHON=/path/to/python3.11" >&2
  exit 1
}
key=$(cat requirements.txt requirements-dev.txt | sha256sum | cut -c1-12)
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
  "$env/bin/python" -m pip install --progress-bar off -r requirements-dev.txt | sed -un 's/^ *Downloading /  /p; /^Installing/s/:.*/ .../p'
  # The optional cuCIM reader, without the gigabytes of CUDA libraries that its wheel asks for and reading does not need.
  "$env/bin/python" -m pip install --quiet --no-deps cucim-cu12==26.10.0 || echo "cuCIM is not to be had here; its reader is left out" >&2
  touch "$env/complete"
fi

stamp=".venv/scangen"
made_for="$env $PWD $(sha256sum <scripts/make_env.sh | cut -c1-12)"
if [ ! -L .venv ] && [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$made_for" ]; then exit 0; fi
if [ -d .venv ] && [ ! -L .venv ] && [ ! -e "$stamp" ]; then
  echo "error: .venv is a folder that this project did not make; move it away and run make again" >&2
  exit 1
fi
rm -rf .venv
"$env/bin/python" -m venv --without-pip .venv
packages=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
shared=$("$env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\nimport site; site.addsitedir(%s)\n' "$PWD" "'$shared'" >"$packages/scangen_bundle.pth"
command_of() { # a script .venv/bin/$1 that calls `main` of a module, $2, with this environment; paths may have blanks
  # Worker processes import the script again: it must then do nothing.
  cat >".venv/bin/$1" <<END
#!/bin/sh
'''exec' '$PWD/.venv/bin/python' "\$0" "\$@"
' '''
import sys

if __name__ == "__main__":
    from $2 import main

    sys.exit(main())
END
  chmod +x ".venv/bin/$1"
}
command_of scangen scangen_bundle.cli.main
for tool in pip pip3; do command_of $tool pip._internal.cli.main; done
for tool in "$env"/bin/*; do # mlflow, ruff, torchrun, ...
  [ -e ".venv/bin/$(basename "$tool")" ] || ln -s "$tool" .venv/bin/
done
echo "$made_for" >"$stamp"
