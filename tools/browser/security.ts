/** What is said to browsers about the page's safety, by headers and by the page itself; docs/en/security.md has it for other servers. */
import type { Plugin } from 'vite';

/** What a page cannot say of itself in its own policy. */
export const HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), usb=(), serial=()',
};

/** For the built page; tests run the development server's pages in a frame. */
export const FRAMES = { 'Content-Security-Policy': "frame-ancestors 'none'" };

/** The development server puts styles into the page as texts, and mends them while one works; what is built has files. */
export function laxWhileDeveloping(): Plugin {
  return {
    name: 'lorikeet-lax-while-developing',
    apply: 'serve',
    transformIndexHtml: (html) => html.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(/; require-trusted-types-for [^"]*/, ''),
  };
}
