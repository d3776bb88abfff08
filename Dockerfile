# An image that holds Tributary's executable, the C library it is linked with, and nothing else.
#
#   docker build -t tributary .
#
# compiles it here; with an executable for Linux that is there already, nothing is compiled:
#
#   docker build -t tributary --build-context executable=dist .

FROM denoland/deno:debian-2.9.6 AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-pip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /tributary
COPY . .
RUN deno task compile

FROM scratch AS executable
COPY --from=build /tributary/dist/tributary /tributary

# ldd names the loader and the libraries, which differ from machine to machine; libddsc, which the
# executable unpacks, needs no others. /tmp is where it does that.
FROM debian:bookworm-slim AS image
COPY --from=executable --chmod=755 /tributary /image/tributary
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN ldd /image/tributary | grep -o '/[^ ]*' | while read -r library; do \
        install -D "$library" "/image$library"; \
    done \
    && mkdir /data \
    && mkdir -m 1777 /image/tmp

FROM scratch
COPY --from=image /image /
# Numbers, since there is no /etc/passwd: orchestrators see that it is not root.
COPY --from=image --chown=10001:10001 /data /data
USER 10001:10001
WORKDIR /data
VOLUME /data
# MQTT, AMQP, gRPC, QUIC and its WebSocket, DDS (discovery and samples), status page
EXPOSE 1883/tcp 5672/tcp 50051/tcp 4433/udp 4433/tcp 7410/udp 7411/udp 8080/tcp
# No shell is needed to ask.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["/tributary", "status", "--ready"]
ENTRYPOINT ["/tributary"]
CMD ["serve", "--state", "/data"]
