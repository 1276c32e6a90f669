/** fetch for addresses that begin with "file:", which Node's own refuses. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Answers file addresses from disk, 404 where there is no such file; everything else goes to `next`. */
export function fileFetch(next: typeof fetch): typeof fetch {
  return async (input, init) => {
    const address = input instanceof Request ? input.url : String(input);
    if (!address.startsWith('file:')) return next(input, init);
    try {
      return new Response(await readFile(fileURLToPath(address)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Response(null, { status: 404, statusText: 'Not Found' });
      throw error;
    }
  };
}
