/** What a choice of adapter is called in headings. */
import type { AdapterSource } from '../../protocol/messages.ts';
import { placeName } from '../adapters/place-name.ts';
import { adapters } from '../state/adapters.svelte.ts';
import type { Texts } from '../texts/en.ts';

/** "the base model", "my run · best, step 40", "my-adapter (folder)". */
export function adapterName(source: AdapterSource | null, t: Texts): string {
  if (source === null) return t.playground.base;
  if (source.kind === 'demo') return t.adapters.demo;
  if (source.kind === 'files') return t.adapters.droppedFolder(source.folder === undefined ? source.name : source.folder);
  const entry = adapters.ofRuns.find(({ run }) => run.id === source.runId);
  const step = entry?.directories.find(({ directory }) => directory === source.directory)?.step;
  return entry && step !== undefined ? `${entry.run.name} · ${placeName(t.adapters, source.directory, step)}` : source.directory;
}
