/** A single layer in a safetensors file: weights, an input `x`, and `expected.*` answers. */
import { AtomoeError } from '../errors.ts';
import type { Checkpoint, TensorInfo } from '../containers/checkpoint.ts';
import { ACTIVATIONS, type Activation } from '../kernels/activation.ts';

export type LayerKind = 'omnimoe' | 'peer';

/** What the file says of the layer. */
export interface LayerFile {
  readonly kind: LayerKind;
  readonly checkpoint: Checkpoint;
  readonly tokens: number;
  readonly hidden: number;
  readonly grid: number; // experts = grid * grid
  readonly heads: number; // that route on their own
  readonly topK: number; // experts of a head
  readonly activation: Activation; // of the experts
  readonly eps: number; // of the batch norms
}

const DEFAULT_EPS = 1e-5;

/**
 * Tells the layer's kind by its tensor names, and its sizes by their shapes.
 *
 * @throws {AtomoeError} bad-file - a tensor is missing or has a shape that does not fit the others
 */
export function readLayer(checkpoint: Checkpoint): LayerFile {
  const kind = kindOf(checkpoint);
  const [tokens = 0, hidden = 0] = shapeOf(checkpoint, 'x', 2);
  const first =
    kind === 'omnimoe' ? weightName(checkpoint, 'router_gate_x') : weightName(checkpoint, 'keys_x');
  const [grid = 0] = shapeOf(checkpoint, first, 2);
  const { heads, topK } = chosen(checkpoint);
  const { metadata } = checkpoint;
  for (const table of ['up_embed', 'down_embed']) {
    const [experts = 0, width = 0] = shapeOf(checkpoint, weightName(checkpoint, table), 2);
    if (experts < grid * grid || width !== hidden) {
      throw unfit(checkpoint, table, `[${grid * grid}, ${hidden}] for a grid of ${grid} x ${grid}`);
    }
  }
  return {
    kind,
    checkpoint,
    tokens,
    hidden,
    grid,
    heads,
    topK,
    activation: activationOf(metadata['activation'], kind === 'omnimoe' ? 'silu' : 'gelu', checkpoint.label),
    eps: epsOf(metadata),
  };
}

function kindOf(checkpoint: Checkpoint): LayerKind {
  const names = [...checkpoint.names()];
  if (names.some((name) => name.startsWith('router_gate_x'))) return 'omnimoe';
  if (names.some((name) => name.startsWith('keys_x'))) return 'peer';
  throw new AtomoeError(
    'unsupported-model',
    `${checkpoint.label}: no tensor tells which layer this is; wanted router_gate_x (OmniMoE) or keys_x (PEER); name them so`,
  );
}

/** A layer's matrices may be called with or without `.weight`. */
export function weightName(checkpoint: Checkpoint, name: string): string {
  return checkpoint.tensor(name) ? name : `${name}.weight`;
}

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
    `${checkpoint.label}: nothing tells how many experts a token takes; wanted expected.ids [tokens, topK] or ` +
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
