# Extraction, training and evaluation. Research use only. Build from the repository's root:
#   docker build --file containers/train.Dockerfile --tag scangen-train .
# Run with slides and outputs of the host (--gpus all for GPUs):
#   docker run --rm --user "$(id -u)" --env USER="$USER" --env HOME=/tmp --volume "$PWD/my_cohort:/data" --volume "$PWD/outputs:/app/outputs" \
#     scangen-train run training --config_file configs/train.yaml --dataset_dir /data --run_name mine
FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.txt pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --requirement requirements.txt
COPY configs ./configs
COPY scangen_bundle ./scangen_bundle
COPY scripts ./scripts
ENV PYTHONUNBUFFERED=1 MLFLOW_DISABLE_TELEMETRY=true PYTHONPATH=/app
ENTRYPOINT ["python", "-m", "monai.bundle"]
CMD ["run", "--help"]
