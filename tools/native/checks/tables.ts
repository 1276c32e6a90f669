/** A vocabulary too large for one binding of a small device: loaded in pieces, looked up and multiplied across them. */
import { BlobFileSource, UrlFileSource } from '../../../src/checkpoint/file-source.ts';
import { ModelFiles } from '../../../src/checkpoint/model-files.ts';
import { writeSafetensors, type NamedTensor } from '../../../src/checkpoint/safetensors.ts';
import { expectedTensors } from '../../../src/families/architecture.ts';
import { embeddingLookup } from '../../../src/kernels/embedding.ts';
import { tokenLogProbs } from '../../../src/kernels/log-probs.ts';
import { loadModel } from '../../../src/model/load.ts';
import { bf16ToFloat32, float32ToBf16 } from '../../../src/quantization/bf16.ts';
import { withBindingLimit } from '../dawn.ts';
import { noise, relativeL2 } from './numbers.ts';
import type { CheckGroup } from './run.ts';

/** What WebGPU promises of every device. */
const BINDING_BYTES = 128 * 2 ** 20;
const VOCABULARY = 600_000;
const TABLE = 'model.language_model.embed_tokens.weight';

/** The demo with another vocabulary: the same files, a table of random rows. */
async function withLargeVocabulary(demoUrl: string): Promise<{ files: ModelFiles; table: Uint16Array }> {
  const demo = await ModelFiles.open(new UrlFileSource(`${demoUrl}model/`, ['config.json', 'model.safetensors', 'tokenizer.json']));
  const width = demo.config.hiddenSize;
  // One run of values, again and again; its length is prime, so that no two rows are alike.
  const run = float32ToBf16(noise(1_048_573, 5).map((value) => value * 0.3));
  const table = new Uint16Array(VOCABULARY * width);
  for (let at = 0; at < table.length; at += run.length) table.set(run.subarray(0, Math.min(run.length, table.length - at)), at);
  const tensors: NamedTensor[] = [];
  for (const { name } of expectedTensors(demo.architecture)) {
    const { dtype, shape } = demo.info(name);
    tensors.push(name === TABLE ? { name, dtype: 'BF16', shape: [VOCABULARY, width], data: table } : { name, dtype, shape, data: (await demo.readTensor(name)).bytes });
  }
  const config = JSON.parse((await demo.readText('config.json'))!) as { text_config: { vocab_size: number } };
  config.text_config.vocab_size = VOCABULARY;
  const files = await ModelFiles.open(
    new BlobFileSource([
      { path: 'config.json', file: new Blob([JSON.stringify(config)]) },
      { path: 'tokenizer.json', file: new Blob(['{}']) },
      { path: 'model.safetensors', file: new Blob([writeSafetensors(tensors)]) },
    ]),
  );
  return { files, table };
}

/** −log p of each target and Σ its gradient by the hidden rows, in doubles. */
function plainLogProbs(hidden: Float32Array, table: Float32Array, targets: Int32Array, width: number): { nll: number[]; gradient: Float64Array } {
  const gradient = new Float64Array(hidden.length);
  const nll = [...targets].map((target, row) => {
    const logits = new Float64Array(VOCABULARY);
    for (let v = 0; v < VOCABULARY; v++) for (let c = 0; c < width; c++) logits[v] += hidden[row * width + c] * table[v * width + c];
    const largest = logits.reduce((a, b) => Math.max(a, b));
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
    for (let v = 0; v < VOCABULARY; v++) {
      const share = Math.exp(logits[v] - largest) / sum - (v === target ? 1 : 0);
      for (let c = 0; c < width; c++) gradient[row * width + c] += share * table[v * width + c];
    }
    return Math.log(sum) + largest - logits[target];
  });
  return { nll, gradient };
}

export const checkTables: CheckGroup = {
  name: 'tables',
  needsF16: false,
  run: ({ open, options, hold, tell }) =>
    withBindingLimit(BINDING_BYTES, async () => {
      const gpu = await open();
      const { files, table: bits } = await withLargeVocabulary(options.demoUrl);
      const { hiddenSize: width } = files.config;
      const model = await loadModel(gpu, files, { kindOf: () => 'nf4' });
      const { embedding, head } = model.parts;
      tell('largest binding', gpu.device.limits.maxStorageBufferBindingSize / 2 ** 20, 'MiB');
      tell('table', bits.byteLength / 2 ** 20, 'MiB');
      tell('pieces', embedding.parts.length, '');
      hold('table in one piece', embedding.parts.length < 2 ? 1 : 0, 0);

      const table = bf16ToFloat32(bits);
      const border = embedding.parts[1].firstRow;
      const ids = Int32Array.of(0, border - 1, border, border + 1, VOCABULARY - 1);
      const looked = await gpu.readFloats(embeddingLookup(gpu, embedding, gpu.upload(ids, [ids.length])));
      hold('looked-up values that differ', looked.reduce((sum, value, i) => sum + (value === table[ids[Math.floor(i / width)] * width + (i % width)] ? 0 : 1), 0), 0);

      const hidden = noise(ids.length * width, 7).map((value) => value * 3);
      const expected = plainLogProbs(hidden, table, ids, width);
      const logProbs = tokenLogProbs(gpu, gpu.upload(hidden, [ids.length, width]), head.table, gpu.upload(ids, [ids.length]));
      const gradient = logProbs.backward(gpu.upload(new Float32Array(ids.length).fill(1), [ids.length]));
      // 600,000 shares, each of a logit that float32 gives to 1e-6.
      hold('−log p across pieces', relativeL2(await gpu.readFloats(logProbs.nll), expected.nll), 1e-5);
      hold('gradient across pieces', relativeL2(await gpu.readFloats(gradient), expected.gradient), 1e-4);
      logProbs.dispose();
      model.dispose();
    }),
};
