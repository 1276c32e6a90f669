/** The page's policy of Trusted Types: the only texts that may become running code are the addresses of its own workers. */
import { SERVICE_WORKER } from '../offline/messages.ts';

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string | null }): unknown;
}

/** As the build names them, and as the development server serves them. */
const WORKER = /^(assets|workers)\/(trainer|reward|cvat|log-reader|run-description|model-export|model-download|handoff|files|packed-parts)\.worker(-[\w-]+)?\.[jt]s$/;

/**
 * @param base address of the page
 * @returns null for an address that is none of a worker of the page: the browser refuses and reports it
 */
export function trustWorker(url: string, base: string): string | null {
  const { origin, pathname, href } = new URL(url, base);
  const folder = new URL('.', base);
  const own = origin === folder.origin && pathname.startsWith(folder.pathname);
  const path = pathname.slice(folder.pathname.length);
  return own && (path === SERVICE_WORKER || WORKER.test(path)) ? href : null;
}

// Browsers without Trusted Types ask nobody.
const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
trustedTypes?.createPolicy('default', { createScriptURL: (url) => trustWorker(url, document.baseURI) });
