# One image with the four daemons and imc; docker-compose.yml says which of them a container runs.
FROM debian:bookworm-slim AS build
WORKDIR /src
# The console is built where npm's registry is reached; else the build says that imc-logic has none, and so does
# /console. --build-arg IMC_CONSOLE=on makes that an error, =off does not try. NPM_CONFIG_REGISTRY: another registry.
ARG IMC_CONSOLE
ARG NPM_CONFIG_REGISTRY
# First what seldom changes: the packages stay cached while the sources change.
COPY scripts/packages.txt scripts/lib.sh scripts/install-deps scripts/
RUN scripts/install-deps build console && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake -S . -B build -G Ninja -DBUILD_TESTING=OFF \
 && cmake --build build \
 && install -s -D -t /out build/comet/imc-comet build/logic/imc-logic build/router/imc-router build/job/imc-job \
        build/cli/imc \
 && ln -s imc /out/imc-client

FROM debian:bookworm-slim
COPY scripts/packages.txt scripts/lib.sh scripts/install-deps /tmp/imc/scripts/
RUN /tmp/imc/scripts/install-deps runtime image && rm -rf /var/lib/apt/lists/* /tmp/imc \
 && useradd --system --user-group --no-create-home imc \
 && install -d -o imc -g imc -m 755 /etc/imc/tls && install -d -o imc -g imc -m 700 /var/lib/imc/ca
# For docker-compose.tls.yml. A volume that is mounted on one of those folders takes its owner.
COPY scripts/compose-certs scripts/make-certs scripts/lib.sh /usr/local/lib/imc/
COPY --from=build /out/ /usr/local/bin/
USER imc
# comet: clients over TCP and WebSocket, with TLS 8081 and 8095, gRPC, admin; logic: HTTP, gRPC, admin; router: gRPC,
# admin; job: admin
EXPOSE 8080 8090 8081 8095 8092 8093 7172 7170 7173 7270 7273 7373
CMD ["imc-comet", "--help"]
