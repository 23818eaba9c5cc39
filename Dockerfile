# dependencies: compilers and downloads stay here; these layers change only with the list of dependencies
FROM python:3.11-slim AS dependencies
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv
WORKDIR /app
COPY requirements/runtime.txt ./requirements/runtime.txt
RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements/runtime.txt

# builder: the project itself
FROM dependencies AS builder
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip pip install --no-deps .

# test: what the tests need, cached as the dependencies are; docker build --target test .
FROM dependencies AS test
# without versions, as Debian keeps only the newest of each package
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --no-install-recommends -y git openssh-client && rm -rf /var/lib/apt/lists/*
RUN --mount=type=cache,target=/root/.cache/pip pip install pytest==9.2.0 pytest-cov==7.1.0
COPY requirements/dev.txt ./requirements/dev.txt
RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements/dev.txt
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip pip install --no-deps .
CMD ["python", "-m", "pytest", "-q"]

# production: the environment and the sources, neither tests nor tools, as a user without rights
FROM python:3.11-slim AS production
# without versions, as Debian keeps only the newest of each package
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --no-install-recommends -y git openssh-client && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 app
COPY --from=builder /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /work
USER 10001
ENTRYPOINT ["ecluse"]
CMD ["--help"]
# ecluse init --kit 55d1dce3226731a3: renewed until it is edited
