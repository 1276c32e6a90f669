import { svelte } from '@sveltejs/vite-plugin-svelte';
import { playwright } from '@vitest/browser-playwright';
import { loadEnv, type Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { chromiumLaunchOptions } from './tools/browser/chromium.ts';
import { offline } from './tools/browser/offline.ts';
import { FRAMES, HEADERS, laxWhileDeveloping } from './tools/browser/security.ts';

/** Lets the page fetch from the mirror of the Hub that VITE_HUB_MIRROR names, and from no other. */
function hubMirror(): Plugin {
  let mirror = '';
  return {
    name: 'lorikeet-hub-mirror',
    config(_, { mode }) {
      mirror = loadEnv(mode, process.cwd()).VITE_HUB_MIRROR ?? '';
    },
    transformIndexHtml: (html) => (mirror ? html.replace("connect-src 'self'", `connect-src 'self' ${new URL(mirror).origin}`) : html),
  };
}

export default defineConfig({
  plugins: [svelte(), hubMirror(), laxWhileDeveloping(), offline()],
  base: './',
  worker: { format: 'es' },
  build: { target: 'es2022', chunkSizeWarningLimit: 2500 },
  server: { fs: { strict: true }, headers: HEADERS },
  preview: { headers: { ...HEADERS, ...FRAMES } },
  test: {
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['tests/unit/**/*.test.ts'], environment: 'node', testTimeout: 30_000 },
      },
      {
        extends: true,
        test: {
          name: 'gpu',
          include: ['tests/gpu/**/*.test.ts'],
          // The first test of a family compiles dozens of kernels; two busy cores need minutes for it.
          testTimeout: 300_000,
          fileParallelism: false,
          // One page and one device: a kernel that one file has compiled, which takes seconds without a GPU, is there for the next.
          isolate: false,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: chromiumLaunchOptions() }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        extends: true,
        test: { name: 'e2e', include: ['tests/e2e/**/*.test.ts'], environment: 'node', testTimeout: 600_000, hookTimeout: 120_000, fileParallelism: false },
      },
    ],
  },
});
