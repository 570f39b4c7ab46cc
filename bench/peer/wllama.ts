/** llama.cpp in WebAssembly (wllama), as its users run it: in its own worker, with one thread or several. */
import type { ModelWeights } from './model.ts';
import { ggufModel } from './gguf.ts';

/** The part of wllama that is used here; the package itself is installed in bench/ only. */
interface Wllama {
  loadModel(blobs: Blob[], params: Record<string, unknown>): Promise<void>;
  createCompletion(options: Record<string, unknown>): Promise<unknown>;
  getNumThreads(): number;
  exit(): Promise<void>;
}

/** Where the bench's server keeps the package's files. */
const FOLDER = '/wllama/';

interface Timings {
  readonly prompt_per_second: number;
  readonly predicted_per_second: number;
  readonly prompt_n: number;
  readonly predicted_n: number;
}

async function openWllama(blobs: Blob[], params: Record<string, unknown>): Promise<Wllama> {
  const module = (await import(/* @vite-ignore */ `${FOLDER}index.js`)) as {
    Wllama: new (paths: Record<string, string>, options: Record<string, unknown>) => Wllama;
  };
  const wllama = new module.Wllama({ default: `${FOLDER}wasm/wllama.wasm` }, { suppressNativeLog: true });
  await wllama.loadModel(blobs, { n_batch: 256, n_gpu_layers: 0, ...params });
  return wllama;
}

/** Tokens per second of a model file, after a short prompt. */
export async function tellWithWllama(
  file: File,
  { threads, contextTokens, replyTokens }: { threads: number; contextTokens: number; replyTokens: number },
): Promise<number> {
  const wllama = await openWllama([file], { n_threads: threads, n_ctx: contextTokens });
  try {
    const answer = (await wllama.createCompletion({
      prompt: 'abc',
      max_tokens: replyTokens,
      n_predict: replyTokens,
      temperature: 0,
      ignore_eos: true,
    })) as { timings?: Timings };
    return answer.timings?.predicted_per_second ?? NaN;
  } finally {
    await wllama.exit();
  }
}

/** Tokens per second as llama.cpp measures them itself, without what the page adds. */
export async function runWllama(
  weights: ModelWeights,
  {
    threads,
    promptTokens,
    replyTokens,
    rounds,
  }: { threads: number; promptTokens: number; replyTokens: number; rounds: number },
): Promise<{ name: string; prefill: number[]; decode: number[] }> {
  const wllama = await openWllama([new Blob(ggufModel(weights))], {
    n_threads: threads,
    n_ctx: weights.shape.contextTokens,
  });
  const prefill: number[] = [];
  const decode: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    // Each character is one token; another first one, so that no prompt is taken from the cache.
    const prompt = String.fromCharCode(97 + round).repeat(promptTokens - 2);
    const answer = (await wllama.createCompletion({
      prompt,
      max_tokens: replyTokens,
      n_predict: replyTokens,
      temperature: 0,
      ignore_eos: true,
      cache_prompt: false,
      logit_bias: [],
    })) as { timings?: Timings };
    const { timings } = answer;
    if (!timings) throw new Error(`wllama gave no timings: ${JSON.stringify(answer).slice(0, 300)}`);
    if (round === 0) continue;
    prefill.push(timings.prompt_per_second);
    decode.push(timings.predicted_per_second);
  }
  const name = `wllama, ${wllama.getNumThreads()} thread(s)`;
  await wllama.exit();
  return { name, prefill, decode };
}
