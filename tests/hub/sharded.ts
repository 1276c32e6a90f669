/** The demo's model as the Hub would hold a large one: its weights in several files with an index. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SafetensorsFile, writeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { ROOT } from '../../tools/browser/ensure-build.ts';
import type { HostedModel } from './hub-server.ts';

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

/** Files of public/demo/model with the weights dealt over `shards` files. */
export async function shardedDemo(shards = 3): Promise<Map<string, Buffer>> {
  const folder = join(ROOT, 'public/demo/model');
  const files = new Map(readdirSync(folder).filter((name) => /\.(json|jinja)$/.test(name)).map((name) => [name, readFileSync(join(folder, name))]));
  const source = await SafetensorsFile.open(new Blob([readFileSync(join(folder, 'model.safetensors'))]), 'model.safetensors');
  const names = [...source.tensors.keys()];
  const weightMap: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const file = `model-0000${shard + 1}-of-0000${shards}.safetensors`;
    const mine = names.filter((_, i) => i % shards === shard);
    for (const name of mine) weightMap[name] = file;
    const tensors = await Promise.all(mine.map(async (name) => ({ ...source.info(name), name, data: (await source.readTensor(name)).bytes })));
    files.set(file, Buffer.from(writeSafetensors(tensors)));
  }
  files.set('model.safetensors.index.json', Buffer.from(JSON.stringify({ metadata: {}, weight_map: weightMap })));
  files.set('README.md', Buffer.from('# not needed'));
  return files;
}

export async function hostedDemo(more: Partial<HostedModel> = {}): Promise<HostedModel> {
  return { id: 'lorikeet/tiny-sharded', branches: { main: COMMIT }, files: await shardedDemo(), ...more };
}
