/** Serves a built page on a free loopback port, and folders of the user's read-only beside it. */
import { createReadStream, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { dirname, resolve, sep } from 'node:path';
import { preview } from 'vite';
import type { Plugin } from 'vite';
import { FRAMES, HEADERS } from './security.ts';

/** A folder served under a route. */
export interface Mount {
  /** URL path with leading and trailing slash, e.g. "/files/". */
  route: string;
  folder: string;
}

/** A running server. */
export interface PageServer {
  /** Address with a trailing slash. */
  url: string;
  close(): Promise<void>;
}

/**
 * The file a request means, or undefined when it lies outside the mount's folder or does not exist.
 * @param url the request's path with query
 */
export function resolveInMount(mount: Mount, url: string): string | undefined {
  const path = url.split(/[?#]/, 1)[0];
  if (!path.startsWith(mount.route)) return undefined;
  let name: string;
  try {
    name = decodeURIComponent(path.slice(mount.route.length));
  } catch {
    return undefined;
  }
  const folder = resolve(mount.folder);
  const file = resolve(folder, name);
  if (name.includes('\0') || !file.startsWith(folder + sep)) return undefined;
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? file : undefined;
}

function answer(mounts: readonly Mount[], request: IncomingMessage, response: ServerResponse, next: () => void): void {
  const url = request.url ?? '/';
  const mount = mounts.find((candidate) => url.startsWith(candidate.route));
  if (!mount) return next();
  const file = request.method === 'GET' || request.method === 'HEAD' ? resolveInMount(mount, url) : undefined;
  if (!file) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('no such file');
    return;
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': statSync(file).size, 'cache-control': 'no-store' });
  if (request.method === 'HEAD') response.end();
  else createReadStream(file).pipe(response);
}

/**
 * Starts vite's preview server for a built folder.
 * @param outDir folder of the build
 * @param mounts further folders, read-only
 * @param first may answer a request before all others; returns false when it is not for it
 */
export async function servePage(outDir: string, mounts: readonly Mount[] = [], first: (request: IncomingMessage, response: ServerResponse) => boolean = () => false): Promise<PageServer> {
  const plugin: Plugin = {
    name: 'lorikeet-mounts',
    configurePreviewServer(server) {
      server.middlewares.use((request, response, next) => (first(request, response) ? undefined : answer(mounts, request, response, next)));
    },
  };
  const server = await preview({
    configFile: false,
    root: dirname(resolve(outDir)),
    build: { outDir },
    logLevel: 'warn',
    plugins: [plugin],
    preview: { host: '127.0.0.1', port: 0, strictPort: false, headers: { ...HEADERS, ...FRAMES } },
  });
  const address = server.httpServer.address();
  if (typeof address !== 'object' || !address) throw new Error('The preview server gave no address.');
  return { url: `http://127.0.0.1:${address.port}/`, close: () => server.close() };
}
