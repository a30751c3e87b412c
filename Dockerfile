# mailguard in two stages: one builds a virtual environment from the lock file, every download
# checked against its hash; the other carries nothing but that environment.
#
#   docker build -t mailguard .
#   docker run --read-only --cap-drop ALL --stop-timeout 45 \
#     -v /etc/mailguard:/etc/mailguard:ro -v mailguard-state:/var/lib/mailguard mailguard
#
# deploy/compose.yaml is the same written down. Pin BASE by digest (name@sha256:…) where builds
# must be repeatable to the byte.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# The dependencies first: they change less often than mailguard, so this layer is kept.
COPY requirements.lock ./
COPY deploy/build.lock deploy/
# dkimpy comes as source: built without isolation, with the setuptools of build.lock and no other.
RUN python -m venv --without-pip /opt/mailguard \
 && python -m pip install --require-hashes -r deploy/build.lock \
 && python -m pip wheel --no-deps --no-build-isolation --wheel-dir wheels \
      --require-hashes -r requirements.lock \
 && python -m pip --python /opt/mailguard/bin/python install --no-index --no-deps wheels/*.whl
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m pip --python /opt/mailguard/bin/python check \
 && python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && python -m pip --python /opt/mailguard/bin/python install --no-deps dist/*.whl \
 && python -m compileall -q /opt/mailguard/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="mailguard" \
      org.opencontainers.image.description="An SMTP proxy that carries out a school district's written e-mail policy" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.documentation="docs/install.md"
# A fixed number, so that the owner of the state volume stays the same from image to image.
RUN groupadd --gid 10025 mailguard \
 && useradd --uid 10025 --gid 10025 --no-create-home --home-dir /var/lib/mailguard \
      --shell /usr/sbin/nologin mailguard \
 && install -d -o mailguard -g mailguard -m 0700 /var/lib/mailguard \
 && install -d -o root -g mailguard -m 0750 /etc/mailguard
COPY --from=build /opt/mailguard /opt/mailguard
ENV PATH=/opt/mailguard/bin:$PATH MAILGUARD_CONFIG=/etc/mailguard PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10025:10025
WORKDIR /var/lib/mailguard
VOLUME ["/var/lib/mailguard"]
# mx, submission, and the pages (health, metrics, copy page). Ports above 1023 need no capability.
EXPOSE 2525 2587 8025
STOPSIGNAL SIGTERM
# http.client and not urllib: a proxy in the environment must not answer for us.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 8025, timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["mailguard"]
CMD ["serve", "--config", "/etc/mailguard"]
