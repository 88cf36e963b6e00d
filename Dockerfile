# One image for the worker and the jobs. Built from the lock; runs as a numeric user without
# privileges, and with a read-only root file system: only /tmp is written to, if anything is.
#
#   docker build -t goldpan .
#   docker run --rm --read-only --tmpfs /tmp goldpan demo

FROM python:3.11.14-slim-bookworm AS build

# 0 leaves redaction pure Python, and builds in seconds.
ARG COMPILE_REDACTION=1
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/goldpan
WORKDIR /src
# A compiler, for the modules of redact/compiled_modules.txt. Nothing of it is in the final image.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
COPY requirements/runtime.lock requirements/runtime.lock
COPY requirements/compile.lock requirements/compile.lock
RUN /opt/goldpan/bin/python -m pip install --require-hashes --only-binary :all: \
    --requirement requirements/runtime.lock
RUN /opt/goldpan/bin/python -m pip install --require-hashes --only-binary :all: \
    --target /opt/compile --requirement requirements/compile.lock
COPY pyproject.toml setup.py README.md LICENSE ./
COPY goldpan goldpan
COPY stream stream
COPY batch batch
COPY judges judges
COPY labels labels
COPY redact redact
COPY lake lake
COPY decode decode
COPY assembly assembly
COPY otel otel
COPY schemas schemas
RUN PYTHONPATH=/opt/compile /opt/goldpan/bin/python -m pip install --no-build-isolation --no-deps . \
    && /opt/goldpan/bin/python -m compileall -q /opt/goldpan/lib
# The expressions of the presets, compiled into the package: the first start of a pod is as fast as
# the next ones. -P: from the package, not from this folder.
RUN /opt/goldpan/bin/python -P -m redact.prepare_databases

FROM python:3.11.14-slim-bookworm

COPY --from=build /opt/goldpan /opt/goldpan
ENV PATH=/opt/goldpan/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    GOLDPAN_REDACT__CACHE_DIR=/tmp/goldpan \
    GOLDPAN_LOG__FORMAT=json \
    GOLDPAN_METRICS__HOST=0.0.0.0
WORKDIR /tmp
USER 10001:10001
EXPOSE 9108
ENTRYPOINT ["goldpan"]
CMD ["stream", "run"]
