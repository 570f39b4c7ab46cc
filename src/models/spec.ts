import type { ExpertRows, TensorRows } from '../weights/tensor-rows.ts';
import type { Activation, GluActivation } from '../kernels/core/activation.ts';
import type { RopeScaling } from '../kernels/attention/rope-angles.ts';
import type { QkNorm } from '../kernels/attention/rope-kv.ts';

/** The activations of experts and MLPs, for those who read specs from elsewhere than a config. */
export { ACTIVATIONS, type Activation, type GluActivation } from '../kernels/core/activation.ts';

/** The tensors of a linear layer in the checkpoint. */
export interface LinearSpec {
  readonly weight: readonly TensorRows[]; // stacked by rows: [outs, ins]
  readonly bias?: readonly (TensorRows | string)[]; // [outs]
}

/** Parameters of rotary positions (Su et al. 2021). */
export interface RopeSpec {
  readonly theta: number;
  readonly rotaryDim: number; // rotated elements of a head; 0: no positions
  readonly style: 'half' | 'pair';
  readonly scaling?: RopeScaling;
}

/** Grouped-query attention with rotary positions. */
export interface AttentionSpec {
  readonly kind: 'attention';
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly scale: number; // of the scores; usually 1 / sqrt(headDim)
  readonly window: number; // sliding window in keys; 0: all keys
  readonly chunk?: number; // instead of a window: keys of the query's own chunk of so many positions
  /** Queries are multiplied by 1 + scale * ln(1 + floor((position + 1) / span)). */
  readonly temperature?: { readonly scale: number; readonly span: number };
  readonly rope: RopeSpec;
  readonly clip?: number; // bound of q, k and v, before the rotation and after a norm that precedes it
  readonly sinks?: string; // [heads]: scores of a key without a value
  /**
   * Of q and k: over each head or all heads together before the rotation, or over each head after it; `headAndValue`: over each
   * head before the rotation, and without a gain over each head of v.
   */
  readonly norm:
    | { readonly kind: 'none' }
    | { readonly kind: Exclude<QkNorm, 'none'>; readonly q?: string; readonly k?: string }; // default gains: 1
  readonly qkv: LinearSpec; // q heads, k heads, v heads
  readonly gate?: LinearSpec; // [heads * headDim, hidden]: out(attended * sigmoid(gate(x)))
  readonly out: LinearSpec;
}

/** Attention that adds exp(slope * softplus(weight v)) to the scores of a key, v the values of all its heads; without sinks. */
export interface BiasedAttentionSpec extends Omit<AttentionSpec, 'kind' | 'sinks'> {
  readonly kind: 'biasedAttention';
  readonly keyBias: { readonly weight: string; readonly slope: string }; // [kvHeads, kvHeads * headDim], [kvHeads]
}

/**
 * Multi-head latent attention: keys and values are linear in latents, which the cache has instead, beside one rotated key for
 * all heads.
 */
export interface LatentAttentionSpec {
  readonly kind: 'latentAttention';
  readonly heads: number;
  readonly nope: number; // elements of a head's key without positions
  readonly valueDim: number; // elements of a head's value
  readonly rank: number; // of the latents
  readonly scale: number; // of the scores
  readonly eps: number; // of the norms of latents
  readonly rope: RopeSpec; // of rotaryDim further elements of a head's key
  readonly query: LinearSpec; // [heads * (nope + rotaryDim), hidden or the rank of queryLatent]
  readonly queryLatent?: { readonly rank: number; readonly down: LinearSpec; readonly norm: string };
  readonly latent: LinearSpec; // [rank + rotaryDim, hidden]
  readonly norm: string; // [rank]
  readonly up: string; // [heads * (nope + valueDim), rank]: of each head, rows of its key, then of its value
  readonly out: LinearSpec; // [hidden, heads * valueDim]
}

/** A causal depthwise convolution between two gates: out(outGate * conv(inGate * x)). */
export interface ShortConvSpec {
  readonly kind: 'shortConv';
  readonly taps: number; // tokens that the convolution spans
  readonly cols: number;
  readonly input: LinearSpec; // [3 * cols, hidden]: rows of inGate, outGate, x
  readonly weight: string; // [cols, 1, taps]
  readonly out: LinearSpec; // [hidden, cols]
}

/**
 * Selective state spaces (Mamba-2): z, x, B, C, dt = input(x); x, B, C = silu(conv(x, B, C)); S = exp(dt A) S + dt x B^T;
 * out(norm((S C + D x) * silu(z))).
 */
export interface StateSpaceSpec {
  readonly kind: 'stateSpace';
  readonly heads: number;
  readonly dims: number; // of a head
  readonly groups: number; // of heads that share B and C
  readonly states: number; // elements of B and C
  readonly taps: number; // tokens that the convolution spans
  readonly bounds?: readonly [lowest: number, highest: number]; // of dt; default: none
  readonly normGroups: number; // the columns of a norm are those of one of these groups of heads
  readonly input: LinearSpec; // [2 * heads * dims + 2 * groups * states + heads, hidden]: z, x, B, C, dt
  readonly convolution: { readonly weight: string; readonly bias?: string }; // [cols, 1, taps], [cols]: of x, B, C
  readonly rates: { readonly decay: string; readonly skip: string; readonly bias: string }; // [heads]: log(-A), D, of dt
  readonly norm: string; // [heads * dims]
  readonly out: LinearSpec; // [hidden, heads * dims]
}

/**
 * A gated delta net: q, k, v, z, b, a = input(x); q, k, v = silu(conv(q, k, v)); S = exp(g) S, S = S + beta k (v - S^T k)^T;
 * out(norm(S^T q) * silu(z)), beta and g of b and a.
 */
export interface DeltaNetSpec {
  readonly kind: 'deltaNet';
  readonly keyHeads: number;
  readonly keyDim: number; // of a head of q and k
  readonly heads: number; // of v
  readonly dims: number; // of a head of v
  readonly tiled?: true; // head h of v has the key head h % keyHeads; else h / (heads / keyHeads)
  readonly taps: number; // tokens that the convolution spans
  readonly input: LinearSpec; // [2 * keyHeads * keyDim + 2 * heads * dims + 2 * heads, hidden]: q, k, v, z, b, a
  readonly convolution: string; // [cols, 1, taps]: of q, k, v
  readonly rates: { readonly decay: string; readonly bias: string }; // [heads]
  readonly norm: string; // [dims], of each head; without gainOffset
  readonly out: LinearSpec; // [hidden, heads * dims]
}

/** A gated MLP: down(act(gate x) * up x). */
export interface GatedMlpSpec {
  readonly width: number;
  readonly activation: Activation;
  readonly gateUp: LinearSpec; // [2 * width, hidden]: gate rows first
  readonly down: LinearSpec;
}

/** A dense gated MLP, applied to every token. */
export interface DenseSpec extends GatedMlpSpec {
  readonly kind: 'dense';
}

/** A shared expert, applied to every token: y += shared(x), or sigmoid(gate x) * shared(x). */
export interface SharedSpec extends GatedMlpSpec {
  readonly gate?: string; // [1, hidden]
  readonly norm?: NormSpec; // its input is this norm of the stream; default: the input of the routed experts
  readonly post?: string; // gain [hidden] of a norm of its output
}

/** The transform from scores to affinities. */
export interface TransformSpec {
  readonly kind: 'softmax' | 'sigmoid' | (string & {}); // or a registered score stage
}

/** Selection: the k largest affinities, on ties the lower ids. */
export interface SelectSpec {
  readonly kind: 'topK';
  readonly k: number; // per head, if the score has heads
  readonly bias?: TensorRows | string; // [experts] or [1, experts], added for the selection only
  /** Only the experts of the `keep` best of `count` equal groups may be chosen. */
  readonly groups?: {
    readonly count: number;
    readonly keep: number;
    readonly by: 'max' | 'sumOfTopTwo' | (string & {}); // or a registered selection stage
  };
}

/** The weights of the chosen experts' outputs. */
export interface WeighSpec {
  readonly from?: 'affinity' | 'exp'; // a, or exp(a); default a
  /**
   * Over the chosen: w / (sum w + epsilon), or the softmax or sigmoid of w; `sparsemixer`: the softmax among all that are left at a choice
   * and near it, within epsilon times the larger magnitude; or a registered weighting stage. Default: none.
   */
  readonly normalise?: 'none' | 'sum' | 'softmax' | 'sigmoid' | 'sparsemixer' | (string & {});
  readonly epsilon?: number; // default 0
  readonly scale?: number; // default 1
  readonly on?: 'result' | 'input'; // what of an expert the weights multiply; default: result. Inputs: only with k 1
  readonly factors?: string; // [experts], by which the weights are multiplied at last; default: none
}

/** One score per expert: s = multiplier * (weight x + bias). */
export interface LinearScoreSpec {
  readonly kind: 'linear';
  readonly weight: string; // [experts, hidden]
  readonly bias?: string; // [experts], part of the score
  readonly multiplier?: number; // default 1
}

/** Running statistics [n] of a batch norm. */
export interface BatchNormSpec {
  readonly mean: string;
  readonly variance: string;
  readonly epsilon: number;
}

/** s of expert i * n + j = r_i + c_j, r and c the log-softmax of `rows` x and `columns` x; experts = n * n. */
export interface ProductScoreSpec {
  readonly kind: 'product';
  readonly rows: TensorRows | string; // [n, hidden]
  readonly columns: TensorRows | string; // [n, hidden]
  /**
   * 'prompt': of a step of T tokens, all row scores and then all column scores, [T, 2, n], are read as [2, T, n]. So does transformers'
   * Doge, which thereby lets tokens see each other. Default: 'token', which is the same for one token.
   */
  readonly split?: 'token' | 'prompt';
  readonly rowsNorm?: BatchNormSpec;
  readonly columnsNorm?: BatchNormSpec;
}

/** A batch norm with gain and shift [n], default 1 and 0. */
export interface AffineNormSpec extends BatchNormSpec {
  readonly gain?: string;
  readonly shift?: string;
}

/**
 * Per head: q = norm(query x) in halves of `keySize`; s of expert i * n + j = <q1, keysX_i> + <q2, keysY_j>;
 * experts = n * n. All heads share the keys, and each selects k.
 */
export interface ProductKeysScoreSpec {
  readonly kind: 'productKeys';
  readonly heads: number;
  readonly keySize: number;
  readonly query: string; // [heads * 2 * keySize, hidden]
  readonly queryBias?: string; // [heads * 2 * keySize]
  readonly queryNorm?: AffineNormSpec; // of all heads
  readonly keysX: string; // [n, keySize]
  readonly keysY: string; // [n, keySize]
}

/**
 * A router as stages: score, transforms, selection and weighting. `score.kind` names the block; a block from outside may
 * interpret the other stages as it needs.
 */
export interface RouterSpec<Score extends { readonly kind: string } = { readonly kind: string }> {
  /** What it reads: the normalised input of its sublayer, or the stream with which its layer begins. Default: normed. */
  readonly input?: 'normed' | 'layer';
  readonly norm?: NormSpec; // its input is this norm of the stream; default: the input of the experts
  readonly score: Score;
  readonly transform?: readonly TransformSpec[];
  readonly select: SelectSpec;
  readonly weigh?: WeighSpec;
}

/** Gated experts: down(act(gate x) * up x), or another combination of gate and up. */
export interface GatedExpertSpec {
  readonly kind: 'gated';
  readonly width: number;
  readonly activation: GluActivation;
  readonly gate: ExpertRows; // [width, hidden]
  readonly up: ExpertRows; // [width, hidden]
  readonly down: ExpertRows; // [hidden, width]
  /** Added to the products of the three matrices. */
  readonly biases?: {
    readonly gate: ExpertRows; // [1, width]
    readonly up: ExpertRows; // [1, width]
    readonly down: ExpertRows; // [1, hidden]
  };
}

/** Experts without a gate: down(relu(up x)^2). */
export interface ReluSquaredExpertSpec {
  readonly kind: 'reluSquared';
  readonly width: number;
  readonly up: ExpertRows; // [width, hidden]
  readonly down: ExpertRows; // [hidden, width]
}

/** One-neuron experts: act(x . input) * output. */
export interface NeuronExpertSpec {
  readonly kind: 'neuron';
  readonly activation: Activation;
  readonly input: ExpertRows; // [experts, hidden]
  readonly output: ExpertRows; // [experts, hidden]
}

/** The kind of a layer's experts. */
export interface ExpertSpec {
  readonly kind: string;
}

/** A sublayer of routed experts: a router, an expert kind and an optional shared expert. */
export interface MoeSpec<Router extends RouterSpec = RouterSpec, Expert extends ExpertSpec = ExpertSpec> {
  readonly kind: 'moe';
  readonly experts: number;
  readonly router: Router;
  readonly expert: Expert;
  readonly post?: string; // gain [hidden] of a norm of the routed experts' sum, before the shared expert is added
  readonly shared?: SharedSpec;
}

/** A block, from the normalised stream to an addition to the stream. `kind` names a row of the table of mixers. */
export interface BlockSpec {
  readonly kind: string;
}

/** A layer norm with gain and shift [hidden]. */
export interface LayerNormSpec {
  readonly gain: string;
  readonly shift: string;
}

/** A norm over the hidden state: the gain [hidden] of a root-mean-square norm, or a layer norm. */
export type NormSpec = string | LayerNormSpec;

/** A norm of what is added to the stream, and a factor of the sum. */
export interface PostNormSpec {
  readonly gain: string; // [hidden]
  readonly factor?: string; // [1]; default: 1
}

/** A sublayer: x += block(norm(x)), or x = factor * (x + post(block(norm(x)))). */
export interface SublayerSpec {
  readonly norm: NormSpec;
  readonly post?: PostNormSpec;
  readonly block: BlockSpec;
  readonly weights?: string; // [hidden], of x in this sum; default: ones
}

/** One layer: its sublayers in execution order. */
export interface LayerSpec {
  readonly sublayers: readonly SublayerSpec[]; // in execution order
}

/** A model as plain data, from which its graph is built and its weights are located. */
export interface ModelSpec {
  readonly family: string;
  readonly vocab: number;
  readonly hidden: number;
  readonly eps: number;
  readonly gainOffset?: number; // added to the gains of the stream's norms and of those of q and k; default: 0
  readonly maxContextTokens: number;
  readonly layers: readonly LayerSpec[];
  readonly skipped?: readonly string[]; // prefixes of tensors of modules that are not run, such as predictors of further tokens
  readonly embedding: string; // [vocab, hidden]
  readonly embeddingMultiplier: number;
  readonly residualMultiplier: number;
  readonly norm: NormSpec; // the final norm
  readonly head: string; // [vocab, hidden]; the name of the embedding if tied
  readonly headBias?: string; // [vocab], of the logits
  readonly headColumnEps?: number; // columns of the head are divided by their lengths plus this; default: they are not
  readonly logitsMultiplier: number;
  readonly logitsCap?: number; // logits are cap * tanh(logits / cap); default: unbounded
  readonly bosId: number | undefined;
  readonly eosIds: readonly number[];
}

/** Whether a block has routed experts. */
export function isMoe(block: BlockSpec): block is MoeSpec {
  return block.kind === 'moe';
}
