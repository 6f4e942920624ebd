# syntax=docker/dockerfile:1
# For a reproducible image pin the base by digest: docker buildx imagetools inspect python:3.11-slim, then build with
# --build-arg BASE=python:3.11-slim@sha256:<digest>.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
# EXTRAS=lab adds what `meshshift lab` and the sample app need.
ARG EXTRAS=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY istio ./istio
COPY meshshift ./meshshift
RUN pip wheel --no-deps --wheel-dir /wheels . \
 && python -m venv /opt/meshshift \
 && wheel="$(echo /wheels/meshshift-*.whl)" \
 && /opt/meshshift/bin/pip install --constraint constraints.txt "${wheel}${EXTRAS:+[${EXTRAS}]}" \
 && /opt/meshshift/bin/python -m compileall -q /opt/meshshift/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="meshshift" \
      org.opencontainers.image.description="Progressive delivery for Istio" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/meshshift/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
COPY --from=build /opt/meshshift /opt/meshshift
USER 65532:65532
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["meshshift"]
CMD ["operator"]
