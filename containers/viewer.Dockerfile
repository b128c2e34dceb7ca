# The viewer. Research use only. Build from the repository's root:
#   docker build --file containers/viewer.Dockerfile --tag scangen-viewer .
# The viewer listens on loopback alone, so the container shares the host's network (Linux); nobody else reaches it:
#   docker run --rm --network host --user "$(id -u)" --env USER="$USER" --env HOME=/tmp \
#     --volume "$PWD/outputs:/app/outputs:ro" --volume "$PWD/my_cohort:/app/my_cohort:ro" scangen-viewer outputs/mine --port 8000
FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.txt pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --requirement requirements.txt
COPY scangen_bundle ./scangen_bundle
ENV PYTHONUNBUFFERED=1 PYTHONPATH=/app
ENTRYPOINT ["python", "-m", "scangen_bundle.viewer", "--no-browser"]
