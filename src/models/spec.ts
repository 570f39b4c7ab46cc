import type { ExpertRows, TensorRows } from '../weights/tensor-rows.ts';
import type { Activation } from '../kernels/core/activation.ts';
import type { RopeScaling } from '../kernels/attention/rope-angles.ts';

/** The activations of experts and MLPs, for those who read specs from elsewhere than a config. */
export { ACTIVATIONS, type Activation } from '../kernels/core/activation.ts';

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

/** Grouped-query attention with rotary positions. */
export interface AttentionSpec {
  readonly kind: 'attention';
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly scale: number; // of the scores; usually 1 / sqrt(headDim)
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

/** A gated MLP that every token takes. */
export interface DenseSpec extends GatedMlpSpec {
  readonly kind: 'dense';
}

/** An expert that every token takes: y += shared(x), or sigmoid(gate x) * shared(x). */
export interface SharedSpec extends GatedMlpSpec {
  readonly gate?: string; // [1, hidden]
}

/** How scores become affinities. */
export interface TransformSpec {
  readonly kind: 'softmax' | 'sigmoid' | (string & {}); // or a score stage that was registered
}

/** Which affinities are chosen: the k largest, lower ids first among equals. */
export interface SelectSpec {
  readonly kind: 'topK';
  readonly k: number; // of each head, where the score has heads
  readonly bias?: string; // [experts], added for the selection only
  /** Only the experts of the `keep` best of `count` equal groups may be chosen. */
  readonly groups?: {
    readonly count: number;
    readonly keep: number;
    readonly by: 'max' | 'sumOfTopTwo' | (string & {}); // or a selection stage that was registered
  };
}

/** What the chosen experts' outputs are multiplied by. */
export interface WeighSpec {
  readonly from?: 'affinity' | 'exp'; // a, or exp(a); default a
  /** Over the chosen: w / (sum w + epsilon), or the softmax of w, or a weighting stage that was registered. Default: none. */
  readonly normalise?: 'none' | 'sum' | 'softmax' | (string & {});
  readonly epsilon?: number; // default 0
  readonly scale?: number; // default 1
}

/** s = weight x */
export interface LinearScoreSpec {
  readonly kind: 'linear';
  readonly weight: string; // [experts, hidden]
}

/** Running statistics [n] of a batch norm. */
export interface BatchNormSpec {
  readonly mean: string;
  readonly variance: string;
  readonly epsilon: number;
}

/** s of expert i * n + j = r_i + c_j, both log softmaxes of what `rows` and `columns` give; experts = n * n. */
export interface ProductScoreSpec {
  readonly kind: 'product';
  readonly rows: string; // [n, hidden]
  readonly columns: string; // [n, hidden]
  readonly rowsNorm?: BatchNormSpec;
  readonly columnsNorm?: BatchNormSpec;
}

/** A batch norm with gain and shift [n]; default: 1 and 0. */
export interface AffineNormSpec extends BatchNormSpec {
  readonly gain?: string;
  readonly shift?: string;
}

/**
 * Of each head: q = norm(query x) in halves of `keySize`; s of expert i * n + j = <q1, keysX_i> + <q2, keysY_j>;
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
 * A router as five stages, in the form of the layer description: what is scored, how scores are transformed, which are
 * selected, how they weigh. `score.kind` names the block; one from outside may read the other stages as it likes.
 */
export interface RouterSpec<Score extends { readonly kind: string } = { readonly kind: string }> {
  readonly score: Score;
  readonly transform?: readonly TransformSpec[];
  readonly select: SelectSpec;
  readonly weigh?: WeighSpec;
}

/** down(act(gate x) * up x) */
export interface GatedExpertSpec {
  readonly kind: 'gated';
  readonly width: number;
  readonly activation: Activation;
  readonly gate: ExpertRows; // [width, hidden]
  readonly up: ExpertRows; // [width, hidden]
  readonly down: ExpertRows; // [hidden, width]
}

/** act(x . input) * output */
export interface NeuronExpertSpec {
  readonly kind: 'neuron';
  readonly activation: Activation;
  readonly input: ExpertRows; // [experts, hidden]
  readonly output: ExpertRows; // [experts, hidden]
}

/** What one of a layer's experts computes. */
export interface ExpertSpec {
  readonly kind: string;
}

/** Routed experts: which of them a token takes is the router's business, what each computes the expert's. */
export interface MoeSpec<Router extends RouterSpec = RouterSpec, Expert extends ExpertSpec = ExpertSpec> {
  readonly kind: 'moe';
  readonly experts: number;
  readonly router: Router;
  readonly expert: Expert;
  readonly shared?: SharedSpec;
}

/** What turns the normed stream into what is added to the stream: the table of mixers has one for each kind. */
export interface BlockSpec {
  readonly kind: string;
}

/** x += block(norm(x)) */
export interface SublayerSpec {
  readonly norm: string; // gain [hidden]
  readonly block: BlockSpec;
}

/** One layer: its sublayers in the order in which they run. */
export interface LayerSpec {
  readonly sublayers: readonly SublayerSpec[]; // in turn
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

/** Whether a block has routed experts. */
export function isMoe(block: BlockSpec): block is MoeSpec {
  return block.kind === 'moe';
}
