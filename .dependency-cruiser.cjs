// Import direction: app -> protocol <- workers -> training -> {objectives, generation} -> model -> kernels -> gpu; tools -> bench -> src.
const from = (...folders) => `^src/(${folders.join('|')})/`;

const PURE = ['protocol', 'handoff', 'families', 'data', 'processing', 'quantization', 'checkpoint', 'objectives', 'evaluation', 'reports', 'imports', 'hub', 'offline'];
const ENGINE = ['gpu', 'kernels', 'model', 'generation', 'training', 'session'];

/** Each folder of the engine, and the engine folders it must not know. */
const ABOVE = {
  gpu: ['kernels', 'model', 'generation', 'training', 'session', 'app', 'storage'],
  kernels: ['model', 'generation', 'training', 'session', 'app', 'storage'],
  model: ['generation', 'training', 'session', 'app', 'storage'],
  generation: ['training', 'session', 'app', 'storage'],
  storage: ['gpu', 'kernels', 'model', 'generation', 'training', 'session', 'app'],
  training: ['session', 'app'],
  session: ['app'],
};

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Modules that import each other cannot be understood or tested alone.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'app-knows-only-the-protocol',
      comment: 'The page speaks to the engine through messages; it never loads it.',
      severity: 'error',
      from: { path: from('app') },
      to: { path: from(...ENGINE) },
    },
    {
      name: 'pure-folders-stay-pure',
      comment: 'These run in Node, in the worker and in the page alike.',
      severity: 'error',
      from: { path: from(...PURE) },
      to: { path: from(...ENGINE, 'app', 'storage') },
    },
    {
      name: 'families-know-only-forms-and-errors',
      comment: 'A family says what its config.json means; reading files and making tokens is done above it.',
      severity: 'error',
      from: { path: from('families') },
      to: { path: '^(src/(?!families/|protocol/|quantization/)|workers/)' },
    },
    {
      name: 'families-are-named-by-the-registries-alone',
      comment: 'Everything else sees an Architecture; only the builders know whose it is.',
      severity: 'error',
      from: { path: '^(src|workers)/', pathNot: '^src/(families|model/build)/' },
      to: { path: '^src/(families|model/build)/qwen' },
    },
    {
      name: 'reports-know-only-the-protocol',
      comment: 'Logs come from many programs: what reads them depends on none of them.',
      severity: 'error',
      from: { path: from('reports') },
      to: { path: '^(src/(?!reports/|protocol/)|workers/)' },
    },
    {
      name: 'tfjs-lives-in-the-engine',
      comment: 'Tensors are the business of gpu, kernels, model and generation.',
      severity: 'error',
      from: { path: '^(src|workers)/', pathNot: from('gpu', 'kernels', 'model', 'generation') },
      to: { path: 'node_modules/@tensorflow/' },
    },
    ...Object.entries(ABOVE).map(([folder, above]) => ({
      name: `${folder}-looks-down-only`,
      severity: 'error',
      from: { path: from(folder) },
      to: { path: from(...above) },
    })),
    {
      name: 'nothing-imports-a-worker',
      comment: 'A worker is started by URL, never imported.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^workers/' },
    },
    {
      name: 'no-tools-or-tests-in-the-product',
      severity: 'error',
      from: { path: '^(src|workers)/' },
      to: { path: '^(tools|tests|bench)/' },
    },
    {
      name: 'benchmarks-know-no-tool',
      comment: 'Tools run the benchmarks; what both need stands in bench.',
      severity: 'error',
      from: { path: '^bench/' },
      to: { path: '^tools/' },
    },
    {
      name: 'browser-helpers-know-no-tool',
      comment: 'Each tool opens its page with them.',
      severity: 'error',
      from: { path: '^tools/browser/' },
      to: { path: '^(bench/|tools/(?!browser/))' },
    },
    {
      name: 'resolvable',
      comment: 'An import that cannot be resolved fails only when the page is opened.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'declared-packages-only',
      severity: 'error',
      from: { path: '^(src|workers)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'], pathNot: 'node_modules/(svelte|@tensorflow)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '[.](wgsl|css|svg|py)|[?]url$' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'browser', 'default', 'types'] },
    moduleSystems: ['es6', 'cjs'],
  },
};
