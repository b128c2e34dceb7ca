#!/usr/bin/env bash
# Debian packages that the whole test suite uses: a browser for the report, validators for DICOM. Tests that need one that is
# absent skip with that reason. Needs root; asks for nothing where all are there.
set -euo pipefail
wanted=(chromium dicom3tools dcmtk)
missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
