# Two stages on one base: the builder makes a virtual environment, the image only carries it.
# The base needs Python 3.11 or newer with the venv module: the Python images have it, a plain
# Debian has it with the packages python3 and python3-venv. It is named by its digest, so that the
# same sources make the same image: python:3.11-slim@sha256:…  (`make image` says how to find it).
ARG BASE

FROM ${BASE} AS builder
ARG BASE
# Which Python the base must have (3.11, 3.13, 3.14), so that no other base is used by mistake;
# empty: any that the program supports.
ARG PYTHON_VERSION=""
RUN case "${BASE}" in *@sha256:*|localhost/*) ;; \
      *) echo "BASE must name the base image by its digest (…@sha256:…)" >&2; exit 1 ;; \
    esac
RUN python3 -c 'import sys; wanted, found = sys.argv[1], "%d.%d" % sys.version_info[:2]; \
      sys.exit(wanted not in ("", found) and f"The base has Python {found}, not {wanted}.")' "${PYTHON_VERSION}"
WORKDIR /build
# The environment that is shipped has no pip: that of the builder installs into it.
RUN python3 -m venv /build/pip && python3 -m venv --without-pip /opt/cds-service

# Dependencies before sources: these layers last until the locks change. Every file is checked
# against its hash. Secrets "pip" (a pip.conf) and "ca" (certificates it may name as
# /run/secrets/ca) are optional: they are for networks with their own package index, and never
# stay in a layer.
COPY locks/build.txt locks/runtime.txt locks/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    /build/pip/bin/pip install --no-cache-dir --quiet --require-hashes \
      --requirement locks/build.txt \
 && /build/pip/bin/pip --python /opt/cds-service/bin/python install \
      --no-cache-dir --quiet --require-hashes --requirement locks/runtime.txt

COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY cds_service ./cds_service
COPY hooks ./hooks
COPY docs/reference/rules.md docs/reference/
COPY fixtures/patients fixtures/patients
ARG COMMIT=""
# The list of its parts (CycloneDX) is made last, from the finished environment.
RUN CDS_COMMIT="${COMMIT}" /build/pip/bin/pip wheel --no-cache-dir --quiet --no-deps --no-index \
      --no-build-isolation --wheel-dir dist . \
 && /build/pip/bin/pip --python /opt/cds-service/bin/python install \
      --no-cache-dir --quiet --no-deps --no-index dist/*.whl \
 && /build/pip/bin/cyclonedx-py environment --output-reproducible --output-format JSON \
      --output-file /opt/cds-service/sbom.cdx.json /opt/cds-service/bin/python


FROM ${BASE}
ARG COMMIT=""
LABEL org.opencontainers.image.title="leg-cramps-cds" \
      org.opencontainers.image.description="CDS Hooks decision support for the workup and management of leg cramps" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${COMMIT}"

# Fixed numbers, so that an orchestrator can demand "not root" and a volume can be given to them.
RUN groupadd --gid 10001 cds \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin cds \
 && install -d -o 10001 -g 10001 -m 0750 /data

COPY --from=builder /opt/cds-service /opt/cds-service
ENV PATH=/opt/cds-service/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CDS_DATABASE_URL=sqlite:////data/cds-service.db

# Everything that is written goes to /data and /tmp: the rest of the file system may be read-only.
VOLUME /data
WORKDIR /data
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python3", "-c", "import http.client; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]

# Beyond loopback the service requires CDS_TRUSTED_CLIENTS, or CDS_INSECURE_OPEN=1.
ENTRYPOINT ["cds-service"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
