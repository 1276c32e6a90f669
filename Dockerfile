# The page for a team: docker build -t lorikeet . && docker run -p 8080:8080 lorikeet
# WebGPU needs https, or localhost: put a proxy with a certificate before it.
FROM node:20-bookworm-slim AS build
WORKDIR /lorikeet
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
ARG VITE_HUB_MIRROR=
RUN npm run build

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends nginx-light libnginx-mod-http-brotli-filter \
 && rm -rf /var/lib/apt/lists/*
COPY tools/serve/nginx.conf /etc/lorikeet/nginx.conf
COPY --from=build /lorikeet/dist /srv/lorikeet
USER www-data
EXPOSE 8080
CMD ["nginx", "-e", "stderr", "-c", "/etc/lorikeet/nginx.conf", "-g", "daemon off;"]
