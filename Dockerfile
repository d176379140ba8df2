# The service. Everything is installed from the lock files, hashes checked; nothing that builds is in the final image.
#   docker build -t driftline:0.1.0 .
#   docker build -t driftline-demo:0.1.0 --build-arg LOCK=demo .    with the data and programs of the demo
ARG PYTHON=3.13-slim-bookworm

FROM python:${PYTHON} AS build
ARG LOCK=service
ENV PIP_CACHE_DIR=/cache PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/build && python -m venv --without-pip /opt/driftline
COPY requirements/ requirements/
RUN --mount=type=cache,target=/cache \
    /opt/build/bin/pip install --require-hashes --no-deps -r requirements/build.txt \
 && /opt/build/bin/pip wheel --require-hashes --no-deps --no-build-isolation --use-pep517 \
        --wheel-dir /wheels -r requirements/${LOCK}.txt \
 && /opt/build/bin/pip --python /opt/driftline/bin/python install --no-index --no-deps /wheels/*.whl
COPY pyproject.toml README.md LICENSE ./
COPY stream/ stream/
COPY detectors/ detectors/
COPY learners/ learners/
COPY configs/ configs/
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/build/bin/pip --python /opt/driftline/bin/python install --no-index --no-deps /dist/*.whl

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="driftline" \
      org.opencontainers.image.description="Streaming drift detection and online learning over Kafka" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --create-home --shell /usr/sbin/nologin driftline
COPY --from=build /opt/driftline /opt/driftline
ENV PATH=/opt/driftline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DRIFTLINE_HTTP_HOST=0.0.0.0
USER driftline
WORKDIR /home/driftline
EXPOSE 8080
# Ready means that it can predict; a worker that waits for its broker is alive, and unhealthy until the broker is back.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["driftline"]
CMD ["run", "-c", "/etc/driftline/flights.yaml"]
