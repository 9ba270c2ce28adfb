# Builds the one binary, and ships it alone.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package curfew && cp target/release/curfew /curfew

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/curfew --create-home curfew
COPY --from=build /curfew /usr/bin/curfew
USER curfew
VOLUME ["/etc/curfew", "/var/lib/curfew"]
EXPOSE 443 5432 9187
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/curfew"]
CMD ["serve", "--config", "/etc/curfew/curfew.toml"]
