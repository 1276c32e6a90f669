/** The adapter files of a run's directories, in PEFT's layout. */
import type { AdapterConfig } from '../checkpoint/adapter-config.ts';
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, readAdapter, writeAdapter, type AdapterBase } from '../checkpoint/adapter.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { AdapterFormat } from './checkpoints.ts';

/**
 * @param config what adapter_config.json says
 * @param model its linear layers, against which a stored adapter is checked
 */
export function peftFormat(config: AdapterConfig, model: AdapterBase): AdapterFormat {
  return {
    write(tensors) {
      const { [ADAPTER_CONFIG_FILE]: text, [ADAPTER_WEIGHTS_FILE]: weights } = writeAdapter(config, tensors);
      return new Map([
        [ADAPTER_CONFIG_FILE, new TextEncoder().encode(text)],
        [ADAPTER_WEIGHTS_FILE, weights],
      ]);
    },
    async read(files) {
      const weights = required(files, ADAPTER_WEIGHTS_FILE);
      const text = new TextDecoder().decode(required(files, ADAPTER_CONFIG_FILE));
      return (await readAdapter(text, new Blob([weights as Uint8Array<ArrayBuffer>]), model)).tensors;
    },
  };
}

function required(files: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const bytes = files.get(name);
  if (!bytes) throw new LorikeetError('file-missing', `The stored state has no ${name}.`, '', { file: name });
  return bytes;
}
