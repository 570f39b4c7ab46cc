/** Looks up embeddings on a GPU. Loaded with the first request for some. */
import { Plan, type Instance } from '../../graph/plan.ts';
import { plainStep } from '../../graph/node.ts';
import { embeddingPart, LOOKUP_TOKENS, lookUp, type EmbeddingPart } from './embedding-part.ts';
import { writeIds, type Loaded } from './gpu-state.ts';

/** A plan of the lookup alone, which shares the model's table. */
export class GpuLookup {
  readonly #gpu: Loaded['gpu'];
  readonly #plan: Plan<EmbeddingPart>;
  readonly #instance: Instance<EmbeddingPart>;

  private constructor(gpu: Loaded['gpu'], plan: Plan<EmbeddingPart>) {
    this.#gpu = gpu;
    this.#plan = plan;
    this.#instance = plan.instance(new Map());
  }

  /** @throws {AtomoeError} unsupported-model; out-of-memory; shader */
  static async open(loaded: Loaded): Promise<GpuLookup> {
    const { gpu, drafted, scalar, tuning, refusals, bounds, forPrompts } = loaded;
    const { contextTokens } = drafted;
    const graph = embeddingPart(drafted.decode);
    const common = { contextTokens, scalar, tuning, refusals, ...bounds };
    const options = { ...common, label: 'lookup', maxTokens: LOOKUP_TOKENS };
    return new GpuLookup(gpu, await gpu.withoutBudget(() => Plan.open(gpu, graph, forPrompts, options)));
  }

  /** The embeddings of any number of tokens: f32 [ids, hidden]. */
  rows(ids: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    return lookUp(ids, (some) => this.#some(some));
  }

  dispose(): void {
    this.#plan.dispose();
  }

  async #some(ids: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    writeIds(this.#gpu, this.#plan, ids);
    this.#instance.run(plainStep(ids.length, 0));
    return new Float32Array(await this.#plan.read(this.#plan.graph.embedded, ids.length));
  }
}
