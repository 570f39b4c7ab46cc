/** A single layer in a safetensors file: weights, an input `x`, and `expected.*` answers. */
import { AtomoeError } from '../../errors.ts';
import type { Checkpoint, TensorInfo } from '../../containers/checkpoint.ts';
import { fileTensors } from './checkpoint-check.ts';
import { namesUnder, type LayerNames } from '../../models/families/common.ts';
import { ACTIVATIONS, type Activation, type MoeSpec, type SharedSpec } from '../../models/spec.ts';

/** What the file says of the layer. */
export interface LayerFile {
  readonly checkpoint: Checkpoint;
  readonly tokens: number;
  readonly hidden: number;
  readonly topK: number; // experts of a head
  /** @param renormalise - weights of a head sum to 1, where the layer may do without */
  moe(renormalise: boolean): Promise<MoeSpec>;
}

const DEFAULT_EPS = 1e-5;

/** Sizes that the file's shapes tell. */
interface Sizes {
  readonly experts: number;
  readonly tableRows: number;
  readonly hidden: number;
  readonly heads: number;
  readonly k: number;
  readonly activation: Activation;
}

/** A layer that files may hold: how it is distinguished from others, and what it is as a spec. */
interface LayerKind {
  readonly mark: string; // the module [grid, ...] that only it has
  readonly activation: Activation; // where the file says nothing
  moe(checkpoint: Checkpoint, names: LayerNames, sizes: Sizes, renormalise: boolean): Promise<MoeSpec>;
}

const KINDS: readonly LayerKind[] = [
  {
    mark: 'router_gate_x',
    activation: 'silu',
    async moe(checkpoint, names, sizes, renormalise) {
      const { EMBED_ROLES, omnimoeLayer } = await import('../../models/families/omnimoe.ts');
      const hasNorm = names.optional('router_norm_x.running_mean') !== undefined;
      const epsilon = hasNorm ? epsOf(checkpoint.metadata) : undefined;
      const shared = sharedOf(checkpoint, names);
      return omnimoeLayer(names, { ...sizes, epsilon, renormalise, roles: EMBED_ROLES.up_is_input, shared });
    },
  },
  {
    mark: 'keys_x',
    activation: 'gelu',
    async moe(checkpoint, names, sizes) {
      const { peerLayer } = await import('../../models/families/peer.ts');
      const [, keySize = 0] = shapeOf(checkpoint, names.weight('keys_x'), 2);
      const hasNorm = names.optional('query_norm.running_var') !== undefined;
      const epsilon = hasNorm ? epsOf(checkpoint.metadata) : undefined;
      return peerLayer(names, { ...sizes, keySize, epsilon });
    },
  },
];

/**
 * Finds the layer's kind by its tensor names, and its sizes by their shapes.
 *
 * @throws {AtomoeError} bad-file - a tensor is missing or has a shape that does not fit the others
 */
export function readLayer(checkpoint: Checkpoint): LayerFile {
  const all = [...checkpoint.names()];
  const kind = KINDS.find(({ mark }) => all.some((name) => name.startsWith(mark)));
  if (!kind) {
    throw new AtomoeError(
      'unsupported-model',
      `${checkpoint.label}: no tensor says which layer this is; wanted router_gate_x (OmniMoE) or keys_x (PEER); name them so`,
    );
  }
  const names = namesUnder('', fileTensors(checkpoint));
  const [tokens = 0, hidden = 0] = shapeOf(checkpoint, 'x', 2);
  const [grid = 0] = shapeOf(checkpoint, names.weight(kind.mark), 2);
  const { heads, topK } = chosen(checkpoint);
  const [tableRows = 0, width = 0] = shapeOf(checkpoint, names.weight('up_embed'), 2);
  if (tableRows < grid * grid || width !== hidden) {
    throw unfit(checkpoint, 'up_embed', `[${grid * grid}, ${hidden}] for a grid of ${grid} x ${grid}`);
  }
  const activation = activationOf(checkpoint.metadata['activation'], kind.activation, checkpoint.label);
  const sizes = { experts: grid * grid, tableRows, hidden, heads, k: topK, activation };
  return {
    checkpoint,
    tokens,
    hidden,
    topK,
    moe: (renormalise) => kind.moe(checkpoint, names, sizes, renormalise),
  };
}

/** The SwiGLU beside the routed experts, where the file has one. */
function sharedOf(checkpoint: Checkpoint, names: LayerNames): SharedSpec | undefined {
  const [gate, up, down] = ['gate_proj', 'up_proj', 'down_proj'].map((name) => ({
    tensor: names.weight(name),
  }));
  if (!gate || !up || !down || !checkpoint.tensor(gate.tensor)) return undefined;
  const [width = 0] = shapeOf(checkpoint, gate.tensor, 2);
  return { width, activation: 'silu', gateUp: { weight: [gate, up] }, down: { weight: [down] } };
}

/**
 * The shape of a tensor of this rank.
 * @throws {AtomoeError} bad-file - it has another rank, or an empty dimension
 */
export function shapeOf(checkpoint: Checkpoint, name: string, rank: number): readonly number[] {
  const { shape } = requireTensor(checkpoint, name);
  if (shape.length === rank && shape.every((size) => size > 0)) return shape;
  throw unfit(checkpoint, name, `${rank} dimensions`);
}

function requireTensor(checkpoint: Checkpoint, name: string): TensorInfo {
  const found = checkpoint.tensor(name);
  if (found) return found;
  throw new AtomoeError(
    'bad-file',
    `${checkpoint.label}: tensor "${name}" is missing; the layer needs it; write the file again`,
  );
}

/** The error for a tensor whose shape does not fit the others. */
export function unfit(checkpoint: Checkpoint, name: string, wanted: string): AtomoeError {
  const shape = (checkpoint.tensor(name) ?? checkpoint.tensor(`${name}.weight`))?.shape.join(', ') ?? '';
  return new AtomoeError(
    'bad-file',
    `${checkpoint.label}: tensor "${name}" has shape [${shape}]; wanted ${wanted}; write the file again`,
  );
}

/** Heads and experts of a head: [tokens, heads, topK], or [tokens, topK] with one head. */
function chosen(checkpoint: Checkpoint): { heads: number; topK: number } {
  for (const name of ['expected.ids', 'expected.weights', 'expected.scores', 'expected.log_scores']) {
    const shape = checkpoint.tensor(name)?.shape;
    if (shape?.length === 2) return { heads: 1, topK: shape[1] ?? 0 };
    if (shape?.length === 3) return { heads: shape[1] ?? 0, topK: shape[2] ?? 0 };
  }
  throw new AtomoeError(
    'bad-file',
    `${checkpoint.label}: nothing says how many experts a token takes; wanted expected.ids [tokens, topK] or ` +
      '[tokens, heads, topK]; write them into the file',
  );
}

function activationOf(text: string | undefined, fallback: Activation, label: string): Activation {
  if (text === undefined) return fallback;
  const word = text
    .toLowerCase()
    .replace(/ \((erf|exact)\)$/, '')
    .replace(/[_ (]+tanh\)?$/, '-tanh');
  const found = word === 'swish' ? 'silu' : ACTIVATIONS.find((activation) => activation === word);
  if (found) return found;
  throw new AtomoeError(
    'unsupported-model',
    `${label}: activation "${text}" is none that Atomoe knows; wanted ${ACTIVATIONS.join(', ')}; correct the metadata`,
  );
}

/** `eps` of its own, or a number after the word eps in any other entry. */
function epsOf(metadata: Readonly<Record<string, string>>): number {
  const text = metadata['eps'] ?? /\beps[ =:]*([\d.e+-]+)/i.exec(Object.values(metadata).join('; '))?.[1];
  const value = Number(text ?? DEFAULT_EPS);
  return Number.isFinite(value) && value > 0 ? value : DEFAULT_EPS;
}
