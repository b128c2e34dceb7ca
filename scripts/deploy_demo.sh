#!/usr/bin/env bash
# Pack the demo's network (after `make demo`) and run the deploy app on a phantom slide of the unseen scanner, on a bag and,
# where the real slides are here, on the Camelyon DICOM.
set -euo pipefail
cd "$(dirname "$0")/.."

run=outputs/demo/with_scangen
features=data/phantom/features/efficientnet-lite0
[ -e "$run/metrics.json" ] || { echo "error: $run is not there; run 'make demo' first" >&2; exit 1; }
env=$(bash scripts/make_deploy_env.sh)
packed=$(.venv/bin/python -W ignore -m scangen_bundle.cli pack "$run" \
  --data-source "synthetic slides of scangen phantom: no tissue, no patients")
echo "$packed"

work=outputs/deploy
rm -rf "$work"
mkdir -p "$work/input" "$work/models/scangen_mil"
cp "$(tail -n 1 <<<"$packed")" "$work/models/scangen_mil/model.ts"
slide=$(.venv/bin/python - data/phantom "$run" <<'PY'
import sys
import pandas as pd
manifest, test = pd.read_csv(f"{sys.argv[1]}/manifest.csv"), pd.read_csv(f"{sys.argv[2]}/predictions.csv")
unseen = test[test.scanner == "scanner-6"].slide_id.iloc[0]
print(manifest.set_index("slide_id").loc[unseen, "slide_path"], unseen)
PY
)
cp "data/phantom/${slide% *}" "$work/input/"
for bag in "$features"/*.h5; do # the first that is not the slide's own
  [ "$bag" = "$features/${slide#* }.h5" ] || break
done
cp "$bag" "$work/input/"
# A slide of the unseen scanner may be called far from training: the demo shows its result with that warning.
export SCANGEN_ALLOW=far_from_training
status=0
"$env/bin/python" -W ignore scripts/deploy_app -i "$work/input" -o "$work/results" -m "$work/models" || status=$?

# The Camelyon file is an overview at 29 µm/px, which the app rightly refuses; a stated mpp shows the way of a DICOM slide.
dicom=${SCANGEN_TEST_DATA:-../shared/data}/slides/camelyon_h_and_e.dcm
if [ -e "$dicom" ]; then
  SCANGEN_MPP=0.5 "$env/bin/python" -W ignore scripts/deploy_app \
    -i "$dicom" -o "$work/results" -m "$work/models" || status=$?
fi
ls -d "$work"/results/*
exit "$status"
