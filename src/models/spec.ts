import type { Activation } from '../kernels/activation.ts';
import type { RouterRule } from '../kernels/gate.ts';
import type { RopeScaling } from '../kernels/rope-angles.ts';
import type { TensorRows } from '../graph/tensor.ts';

/** A linear layer's place in the checkpoint. */
export interface LinearSpec {
  readonly weight: readonly TensorRows[]; // stacked by rows: [outs, ins]
  readonly bias?: readonly (TensorRows | string)[]; // [outs]
}

/** How heads are turned by their position. */
export interface RopeSpec {
  readonly theta: number;
  readonly rotaryDim: number; // elements of a head that turn
  readonly style: 'half' | 'pair';
  readonly scaling?: RopeScaling;
}

export interface AttentionSpec {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly scale: number; // of the scores; usually headDim ** -0.5
  readonly window: number; // keys that a query sees; 0: all
  readonly rope: RopeSpec;
  readonly norm:
    { readonly kind: 'none' } | { readonly kind: 'head' | 'vector'; readonly q: string; readonly k: string };
  readonly qkv: LinearSpec; // q heads, k heads, v heads
  readonly out: LinearSpec;
}

/** A gated MLP: down(act(gate x) * up x). */
export interface GatedMlpSpec {
  readonly width: number;
  readonly activation: Activation;
  readonly gateUp: LinearSpec; // [2 * width, hidden]: gate rows first
  readonly down: LinearSpec;
}

/** An expert that every token takes: y += shared(x), or sigmoid(gate x) * shared(x). */
export interface SharedSpec extends GatedMlpSpec {
  readonly gate?: string; // [1, hidden]
}

/** Ordinary experts behind a linear router. */
export interface MoeSpec {
  readonly kind: 'moe';
  readonly experts: number;
  readonly topK: number;
  readonly width: number;
  readonly activation: Activation;
  readonly router: { readonly weight: string; readonly bias?: string; readonly rule: RouterRule };
  /** Where one expert's matrices stand. */
  readonly expert: (expert: number) => {
    readonly gate: TensorRows; // [width, hidden]
    readonly up: TensorRows; // [width, hidden]
    readonly down: TensorRows; // [hidden, width]
  };
  readonly shared?: SharedSpec;
}

/** One-neuron experts behind a product router (OmniMoE). */
export interface AtomicSpec {
  readonly kind: 'atomic';
  readonly experts: number; // grid * grid
  readonly grid: number;
  readonly topK: number;
  readonly activation: Activation;
  readonly router: {
    readonly rows: string; // [grid, hidden]
    readonly cols: string;
    readonly norm?: {
      readonly eps: number;
      readonly mean: readonly [rows: string, cols: string]; // running statistics [grid]
      readonly variance: readonly [rows: string, cols: string];
    };
    readonly renormalise: boolean;
  };
  readonly input: string; // [experts, hidden]
  readonly output: string; // [experts, hidden]
  readonly shared?: SharedSpec;
}

export interface DenseMlpSpec extends GatedMlpSpec {
  readonly kind: 'dense';
}

export interface LayerSpec {
  readonly attentionNorm: string; // gain [hidden]
  readonly attention: AttentionSpec;
  readonly mlpNorm: string;
  readonly mlp: MoeSpec | AtomicSpec | DenseMlpSpec;
}

/** A model as plain data: enough to build its graph and to find its weights. */
export interface ModelSpec {
  readonly family: string;
  readonly vocab: number;
  readonly hidden: number;
  readonly eps: number;
  readonly maxContextTokens: number;
  readonly layers: readonly LayerSpec[];
  readonly embedding: string; // [vocab, hidden]
  readonly embeddingMultiplier: number;
  readonly residualMultiplier: number;
  readonly norm: string; // final gain
  readonly head: string; // [vocab, hidden]; the embedding's name when tied
  readonly logitsMultiplier: number;
  readonly bosId: number | undefined;
  readonly eosIds: readonly number[];
}
