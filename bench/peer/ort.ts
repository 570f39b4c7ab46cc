/** ONNX Runtime in the page: sessions on its WebGPU or wasm backend, one step at a time. */
import type * as OrtWeb from 'onnxruntime-common'; // the types; the package itself is installed in bench/ only
import type { ModelShape } from './model.ts';

type Ort = typeof OrtWeb;
type OrtSession = Awaited<ReturnType<Ort['InferenceSession']['create']>>;
type OrtTensor = InstanceType<Ort['Tensor']>;
export type Backend = 'webgpu' | 'wasm';

/** Where the bench's server keeps the package's files. */
const FOLDER = '/ort/';

/** The build with the native WebGPU backend: the default import is older and runs QMoE on the CPU. */
export async function loadOrt(): Promise<Ort> {
  const ort = (await import(/* @vite-ignore */ `${FOLDER}ort.webgpu.bundle.min.mjs`)) as Ort;
  ort.env.wasm.wasmPaths = FOLDER;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  return ort;
}

/** Keys and values of all tokens so far. On WebGPU they stay on the GPU. */
type Past = Readonly<Record<string, OrtTensor>>;

/** A model in ONNX Runtime with one conversation. */
export class OrtModel {
  readonly backend: Backend;
  readonly #ort: Ort;
  readonly #session: OrtSession;
  readonly #shape: ModelShape;
  #past: Past | undefined;
  #tokens = 0;

  private constructor(ort: Ort, session: OrtSession, shape: ModelShape, backend: Backend) {
    this.#ort = ort;
    this.#session = session;
    this.#shape = shape;
    this.backend = backend;
  }

  static async open(ort: Ort, model: Uint8Array, shape: ModelShape, backend: Backend): Promise<OrtModel> {
    const names = Array.from({ length: shape.layers }, (_, layer) => [
      `present.${layer}.key`,
      `present.${layer}.value`,
    ]);
    const place = backend === 'webgpu' ? ('gpu-buffer' as const) : ('cpu' as const);
    const preferredOutputLocation = Object.fromEntries(names.flat().map((name) => [name, place]));
    const session = await ort.InferenceSession.create(model, {
      executionProviders: [backend],
      preferredOutputLocation: { logits: 'cpu', ...preferredOutputLocation },
    });
    return new OrtModel(ort, session, shape, backend);
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** Runs tokens behind those so far; gives the logits of the last one. */
  async step(ids: readonly number[]): Promise<Float32Array> {
    const { Tensor } = this.#ort;
    const int64 = (values: readonly number[]) =>
      new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
    const total = this.#tokens + ids.length;
    const feeds: Record<string, OrtTensor> = {
      input_ids: int64(ids),
      attention_mask: int64(Array<number>(total).fill(1)),
    };
    for (const name of this.#cacheNames()) {
      const empty = () =>
        new Tensor('float32', new Float32Array(0), [1, this.#shape.kvHeads, 0, this.#shape.headDim]);
      feeds[`past_key_values.${name}`] = this.#past?.[`present.${name}`] ?? empty();
    }
    const results = (await this.#session.run(feeds)) as Record<string, OrtTensor>;
    this.#forget();
    this.#past = results;
    this.#tokens = total;
    return (await results['logits']!.getData()) as Float32Array;
  }

  /** Keys and values of all layers, one after another: what later tokens will see of this conversation. */
  async cache(): Promise<Float32Array> {
    const parts: Float32Array[] = [];
    for (const name of this.#cacheNames()) {
      parts.push((await this.#past![`present.${name}`]!.getData()) as Float32Array);
    }
    const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  reset(): void {
    this.#forget();
    this.#past = undefined;
    this.#tokens = 0;
  }

  async dispose(): Promise<void> {
    this.reset();
    await this.#session.release();
  }

  #cacheNames(): string[] {
    return Array.from({ length: this.#shape.layers }, (_, layer) => [
      `${layer}.key`,
      `${layer}.value`,
    ]).flat();
  }

  #forget(): void {
    for (const [name, tensor] of Object.entries(this.#past ?? {})) if (name !== 'logits') tensor.dispose();
  }
}
