/** Runs the Q4 model on one device in a worker, where threads may be waited for; a thread itself where its name says so. */
import { LocalEngine, type EngineOptions } from '../../src/engine/index.ts';
import { serveAsThread } from '../../src/worker/serve-thread.ts';
import { isThread, startThreads } from '../../src/worker/threads.ts';
import { checkpointFolder } from '../peer/checkpoint.ts';
import { BENCH_MODEL, makeWeights } from '../peer/model.ts';

/** What the worker is asked for. */
export interface CpuRun {
  readonly device: 'cpu' | 'gpu' | 'reference';
  readonly threads: number;
  readonly activations: 'f32' | 'int8';
  readonly promptTokens: number;
  readonly replyTokens: number;
  readonly rounds: number;
  readonly model?: string; // of the demo; default: the generated Q4 model
}

/** Tokens per second of each round. */
export interface CpuRates {
  readonly name: string;
  readonly prefill: readonly number[];
  readonly decode: readonly number[];
}

const PLAIN = { penalty: 1, temperature: 1, candidates: false, routes: false } as const;

async function measure({ device, threads, activations, ...sizes }: CpuRun): Promise<CpuRates> {
  const options: EngineOptions = { device, threads, startThreads, tuning: 'auto' };
  const engine = await LocalEngine.open(options);
  const { contextTokens } = BENCH_MODEL;
  if (sizes.model !== undefined)
    await engine.load(new URL(`/models/${sizes.model}/`, location.href).href, {
      activations,
      diskCache: false,
    });
  else {
    const folder = checkpointFolder(makeWeights(BENCH_MODEL));
    await engine.load(folder, { quantize: 'q4_0', contextTokens, activations });
  }
  const { runner, adapter } = engine;
  const vocab = engine.model?.plan.vocab ?? 1;
  const ids = Array.from({ length: sizes.promptTokens }, (_, i) => (i * 1103 + 17) % vocab);
  const prefill: number[] = [];
  const decode: number[] = [];
  const state = await runner.openState();
  for (let round = 0; round <= sizes.rounds; round += 1) {
    const startedMs = performance.now();
    await runner.step(state, { ...PLAIN, ids, past: 0 });
    const promptMs = performance.now() - startedMs;
    for (let at = 0; at < sizes.replyTokens; at += 1)
      await runner.step(state, { ...PLAIN, ids: [(at * 7919) % vocab], past: ids.length + at });
    const replyMs = performance.now() - startedMs - promptMs;
    if (round === 0) continue; // compiles
    prefill.push((1000 * ids.length) / promptMs);
    decode.push((1000 * sizes.replyTokens) / replyMs);
  }
  state.dispose();
  engine.dispose();
  return { name: adapter.name, prefill, decode };
}

if (isThread(self as { name?: string })) serveAsThread(self);
else {
  addEventListener('message', (event: MessageEvent<CpuRun>) => {
    measure(event.data).then(
      (rates) => postMessage({ rates }),
      (error: unknown) => postMessage({ error: String(error) }),
    );
  });
}
