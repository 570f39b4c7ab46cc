/** Runs a model file within a memory budget, and notes what the first tokens took. In a page's worker, and in Node. */
import { LocalEngine, type EngineOptions } from '../../src/engine/index.ts';
import { factsOf, type FileSource, type FolderSource } from '../../src/io/source.ts';

/** What is run, and how. */
export interface RealRun {
  readonly device: 'cpu' | 'gpu';
  readonly threads: number;
  readonly budgetBytes: number;
  readonly contextTokens: number;
  readonly promptTokens: number;
  readonly replyTokens: number;
}

/** Bytes, milliseconds. */
export interface RealFigures {
  readonly adapter: string;
  readonly peakBytes: number; // of GPU or WebAssembly memory
  readonly denseBytes: number;
  readonly slotsPerLayer: number;
  readonly loadMs: number; // until a prompt can be given
  readonly firstTokenMs: number; // from the beginning of loading to the first token
  readonly readBytes: number; // from the file, until the first token
  readonly routed: readonly number[]; // [layer with experts]: how many the prompt's tokens chose
  readonly tokensPerSecond: number;
  readonly hitRate: number;
}

/** A folder that counts what is read of its files. */
function counted(folder: FolderSource): { folder: FolderSource; read: () => number } {
  let readBytes = 0;
  const wrap = (file: FileSource): FileSource => ({
    name: file.name,
    sizeBytes: file.sizeBytes,
    validator: file.validator,
    isRanged: file.isRanged,
    async read(offsetBytes, sizeBytes, options) {
      readBytes += sizeBytes;
      return file.read(offsetBytes, sizeBytes, options);
    },
    dispose: () => file.dispose?.(),
  });
  return {
    folder: {
      ...factsOf(folder),
      async open(name, options) {
        const file = await folder.open(name, options);
        return file && wrap(file);
      },
    },
    read: () => readBytes,
  };
}

/** Loads the model, runs a prompt, and goes on for some tokens. */
export async function measureReal(
  given: FolderSource,
  run: RealRun,
  more: Partial<EngineOptions> = {},
): Promise<RealFigures> {
  const { folder, read } = counted(given);
  const uses: Uint32Array[] = [];
  const engine = await LocalEngine.open({
    device: run.device,
    threads: run.threads,
    tuning: 'off',
    streamTesting: {
      observer: {
        prompt: (layer, units) => {
          const sum = (uses[layer] ??= new Uint32Array(units.length));
          for (const [unit, count] of units.entries()) sum[unit] = (sum[unit] ?? 0) + count;
        },
        token: () => {},
      },
    },
    ...more,
  });
  try {
    const startedMs = performance.now();
    const { plan } = await engine.load(folder, {
      memoryBudget: run.budgetBytes,
      contextTokens: run.contextTokens,
      diskCache: false,
      streaming: { fill: false },
    });
    const loadMs = performance.now() - startedMs;
    const { runner } = engine;
    const state = await runner.openState();
    const plain = { penalty: 1, temperature: 1, candidates: false, routes: false } as const;
    const ids = Array.from({ length: run.promptTokens }, (_, i) => 200 + 977 * i);
    let { best } = await runner.step(state, { ...plain, ids, past: 0 });
    const firstTokenMs = performance.now() - startedMs;
    const readBytes = read();
    const routed = uses.map((layer) => layer.filter((count) => count > 0).length);
    const replyMs = performance.now();
    for (let at = 0; at < run.replyTokens; at += 1)
      ({ best } = await runner.step(state, { ...plain, ids: [best], past: ids.length + at }));
    const tokensPerSecond = (1000 * run.replyTokens) / (performance.now() - replyMs);
    const report = await engine.streaming();
    const peakBytes = Math.max(runner.tools?.peakBytes ?? 0, engine.memory().totalBytes);
    state.dispose();
    return {
      adapter: engine.adapter.name,
      peakBytes,
      denseBytes: plan.bytes.dense,
      slotsPerLayer: plan.slotsPerLayer,
      loadMs,
      firstTokenMs,
      readBytes,
      routed,
      tokensPerSecond,
      hitRate: report ? report.hits / (report.hits + report.misses) : 1,
    };
  } finally {
    engine.dispose();
  }
}
