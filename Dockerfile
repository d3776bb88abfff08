# Runs the server from its sources, with every package and libddsc inside: no network at run time.
FROM denoland/deno:2.9.6 AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-pip \
    && rm -rf /var/lib/apt/lists/*
ENV DENO_DIR=/deno-dir
WORKDIR /tributary
COPY . .
RUN deno task setup \
    && deno cache main.ts src/*/worker.ts src/protocols/*/worker.ts src/client/trainer_worker.ts

FROM denoland/deno:2.9.6
ENV DENO_DIR=/deno-dir
COPY --from=build --chown=deno:deno /deno-dir /deno-dir
COPY --from=build --chown=deno:deno /tributary /tributary
RUN mkdir /data && chown deno:deno /data
WORKDIR /data
VOLUME /data
USER deno
# MQTT, AMQP, gRPC, QUIC and its WebSocket, DDS (discovery and samples), status page
EXPOSE 1883/tcp 5672/tcp 50051/tcp 4433/udp 4433/tcp 7410/udp 7411/udp 8080/tcp
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD \
    ["deno", "eval", "const { ok } = await fetch('http://127.0.0.1:8080/healthz'); Deno.exit(ok ? 0 : 1)"]
ENTRYPOINT ["deno", "run", "--cached-only", "--no-prompt", "--allow-net", "--allow-read", "--allow-write", \
    "--allow-env", "--allow-ffi", "/tributary/main.ts"]
CMD ["serve", "--state", "/data"]
