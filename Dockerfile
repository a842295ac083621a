# The suite in an NVIDIA CUDA container. Needs on the host: driver 580 or newer and a card of compute capability
# 7.5 or newer (or no card at all: everything runs on the CPU too).
#
#   make image
#   mkdir -p out && docker run --rm --user $(id -u):$(id -g) -v "$PWD/out:/work" weckd:0.1.0
#
# Add `--gpus all` where there is a card. /work holds results/, data/ and .snakemake; the code and the reference lie in
# /opt/weckd. docs/containers.md says how it runs read-only, without network and offline.
# The base flavour is enough: torch's wheels bring cuBLAS, cuDNN and NCCL.
ARG BASE_IMAGE=nvidia/cuda:13.0.1-base-ubuntu24.04@sha256:f8ef28f579ea42a44b415d2c5d46f788e6a9b395c6c83f2929416e1fc192c143

FROM ${BASE_IMAGE} AS python
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Versions follow the base image's own release, which its digest fixes.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-venv ca-certificates \
    && rm -rf /var/lib/apt/lists/*

FROM python AS dependencies
WORKDIR /build
COPY requirements-uv.lock requirements.lock ./
RUN --mount=type=cache,target=/cache/pip \
    python3 -m venv /opt/uv \
    && /opt/uv/bin/pip install --cache-dir /cache/pip --disable-pip-version-check --require-hashes --requirement requirements-uv.lock
RUN --mount=type=cache,target=/cache/uv \
    python3 -m venv --without-pip /opt/venv \
    && /opt/uv/bin/uv pip install --cache-dir /cache/uv --python /opt/venv/bin/python --link-mode copy --compile-bytecode \
        --require-hashes --requirement requirements.lock \
    && ln -s /opt/weckd/docker/weckd /opt/venv/bin/weckd

FROM python AS runtime
COPY --from=dependencies /opt/venv /opt/venv
# USER and HOME let any numeric --user work; CUBLAS_WORKSPACE_CONFIG makes cuBLAS deterministic.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/weckd \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    USER=weckd \
    HOME=/tmp \
    CUBLAS_WORKSPACE_CONFIG=:4096:8
RUN install -d -o 10001 -g 10001 /work
ARG VERSION=0.1.0
COPY docker/bill_of_materials.py /opt/
RUN python /opt/bill_of_materials.py "${VERSION}" > /opt/weckd.cdx.json
# All above changes with the lock alone; an edit of the suite makes the few megabytes below again.
COPY . /opt/weckd
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/weckd/weckd
ARG REVISION=unknown
LABEL org.opencontainers.image.title="weckd" \
      org.opencontainers.image.description="Reproducibility suite for WeCKD (arXiv 2510.14668)" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Where there is no .git, provenance takes the code's revision from here.
ENV WECKD_REVISION=${REVISION}
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["snakemake", "--snakefile", "/opt/weckd/Snakefile"]
CMD ["--cores", "all"]
