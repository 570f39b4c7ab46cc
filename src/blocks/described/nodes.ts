/** Adds the nodes of a described layer, with names of their own. */
import { AtomoeError } from '../../errors.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import { cellsNode, pairLinearNode } from '../../graph/ops/cells.ts';
import type { Sequences } from '../../graph/ops/sequence-routing.ts';
import type { Tensor, TensorRole, Weight } from '../../graph/tensor.ts';
import { CELL_ACTIVATIONS, type CellActivation } from '../../kernels/routing/cells/activation.ts';
import { CELLS, type CellName } from '../../kernels/routing/cells/table.ts';
import { packTernary, ternaryWords } from '../../kernels/routing/ternary-codes.ts';
import type { ScopeDescription } from '../../models/layer/router.ts';
import type { HostTensor } from './tensors.ts';
import type { RequestShape } from './routing-site.ts';
import { StoredWeights } from './stored-weights.ts';

/** What a request gives besides x. */
export interface RequestInput {
  readonly name: string; // as the description names it; `tokenIds` and `previousState` have these names
  readonly tensor: Tensor;
}

/** A cell's numbers, ids, and what becomes of the result. */
export interface CellUse {
  readonly cols: number;
  readonly n?: readonly number[];
  readonly f?: readonly number[];
  readonly ids?: Tensor | undefined;
  readonly type?: 'f32' | 'u32';
  readonly role?: TensorRole;
}

/** The request for which a layer is built. */
export interface RequestSizes {
  readonly tokens: number; // of the whole request
  readonly sequences: number; // 0: not divided
  readonly widths: ReadonlyMap<string, number>; // columns of what the request gives, by name
  readonly vocab?: number; // token ids that there may be, if that is known
}

/** Adds nodes to a graph. All tensors are f32 but for ids. */
export class LayerNodes {
  readonly builder: GraphBuilder;
  readonly request: RequestSizes;
  readonly inputs: RequestInput[] = [];
  /** Values beside the result, for known answers, by their names. */
  readonly noted: Record<string, Tensor> = {};
  #offsets: Tensor | undefined;
  readonly #weights: StoredWeights;
  readonly #prefix: string;
  #count = 0;

  /**
   * @param prefix - of all names, where the graph has other nodes
   * @param weights - of all that share the graph's memory
   */
  constructor(builder: GraphBuilder, request: RequestSizes, prefix = '', weights = new StoredWeights()) {
    this.builder = builder;
    this.request = request;
    this.#prefix = prefix;
    this.#weights = weights;
  }

  /** The division of the tokens; undefined if they are one sequence. */
  get sequences(): Sequences | undefined {
    const { sequences: count } = this.request;
    if (count === 0) return undefined;
    this.#offsets ??= this.given('sequenceOffsets', { type: 'u32', fixed: count + 1 });
    return { offsets: this.#offsets, count };
  }

  /** A label that no other node has. */
  label(name: string): string {
    this.#count += 1;
    return `${this.#prefix}${name} ${this.#count}`;
  }

  /** A tensor that the request gives, once for all who ask for it in this shape. */
  given(name: string, { type, perToken = 0, fixed = 0 }: RequestShape): Tensor {
    const known = this.inputs.find(
      ({ name: other, tensor }) =>
        other === name && tensor.type === type && tensor.perToken === perToken && tensor.fixed === fixed,
    );
    if (known) return known.tensor;
    const tensor = this.builder.tensor(this.label(`request ${name}`), {
      ...{ type, role: 'input', perToken, fixed },
    });
    this.inputs.push({ name, tensor });
    return tensor;
  }

  /**
   * The columns of what the request gives.
   *
   * @param written - what the description says of them
   * @throws {AtomoeError} bad-input - it does not give this, or with other columns
   */
  widthOf(name: string, written?: number): number {
    const width = this.request.widths.get(name);
    if (width === undefined)
      throw new AtomoeError(
        'bad-input',
        `the request has no "${name}", which the description reads; give it`,
      );
    if (written === undefined || written === width) return width;
    throw new AtomoeError(
      'bad-input',
      `"${name}" of the request has ${width} columns, and the description reads ${written}; give so many`,
    );
  }

  /** What the router of an earlier layer with experts reads, in place of x: of a layer alone, the request has it. */
  earlier({ perToken }: Tensor, layers: number): Tensor {
    return this.given(`earlierHidden.${layers}`, { type: 'f32', perToken });
  }

  /** Values as a weight of the graph. */
  weight(name: string, values: Float32Array<ArrayBuffer>): Weight {
    return this.#stored(name, values.length, 1, values);
  }

  /** Equal values are one weight: layers and iterations that name a tensor twice hold it once. */
  #stored(label: string, rows: number, cols: number, own: Float32Array<ArrayBuffer>): Weight {
    const { name, values } = this.#weights.find(label, rows, cols, own);
    return this.builder.computed(name, rows, cols, () => values);
  }

  /** y[t, i] = cell(t, i) */
  cell(cell: CellName, inputs: readonly (Tensor | Weight)[], use: CellUse): Tensor {
    const { cols, n, f, ids, type = 'f32', role = 'activation' } = use;
    const label = this.label(cell);
    const y = this.builder.tensor(label, { type, role, perToken: cols });
    const { sequences: isDivided } = CELLS[cell] as { sequences?: true };
    const sequences = isDivided ? this.sequences : undefined;
    this.builder.add(cellsNode(label, { cell, inputs, ids, sequences, y, ...(n && { n }), ...(f && { f }) }));
    return y;
  }

  /** The products of the rows of x [tokens, cols] with one matrix [outs, cols]. */
  dense(name: string, x: Tensor, matrix: HostTensor, bias?: HostTensor): Tensor {
    return this.pairs(name, x, { matrix, bias, experts: 1, places: 1, xPlaces: 1 });
  }

  /** The products of the rows of places with the matrices [experts, outs, cols] of their experts. */
  pairs(name: string, x: Tensor, use: PairUse): Tensor {
    const { matrix, bias, experts, places, xPlaces, ids } = use;
    const [outs = 0, cols = 0] = matrix.shape.slice(-2);
    const count = matrix.shape.reduce((product, size) => product * size, 1);
    if (count !== experts * outs * cols || x.perToken !== xPlaces * cols) {
      throw new AtomoeError(
        'bad-file',
        `${name} is of shape [${matrix.shape.join(', ')}], wanted [${experts}, ..., ${x.perToken / xPlaces}]; write the file again`,
      );
    }
    if (bias && bias.values.length !== experts * outs) {
      throw new AtomoeError(
        'bad-file',
        `the bias of ${name} is of shape [${bias.shape.join(', ')}], wanted [${experts}, ${outs}]; write the file again`,
      );
    }
    const label = this.label(name);
    const y = this.builder.tensor(label, { type: 'f32', perToken: places * outs });
    const { weight, scales } = this.#matrix(name, matrix, experts * outs, cols);
    const added = bias && this.#stored(`${name} bias`, experts * outs, 1, bias.values);
    this.builder.add(
      pairLinearNode(label, { x, weight, scales, bias: added, ids, y, experts, places, xPlaces }),
    );
    return y;
  }

  /** The weights [rows, cols] of a product: ternary ones with a scale for each expert stay codes. */
  #matrix(name: string, matrix: HostTensor, rows: number, cols: number) {
    const { shape, ternary } = matrix;
    if (!ternary || shape.length !== 3)
      return { weight: this.#stored(`${name} weight`, rows, cols, matrix.values), scales: undefined };
    const { codes, scales } = ternary;
    const words = packTernary(codes, cols);
    return {
      weight: this.#stored(`${name} codes`, rows, ternaryWords(cols), words),
      scales: this.#stored(`${name} scales`, scales.length, 1, scales),
    };
  }

  /** The segment or sequence of a token as its input (section 7 of the format). */
  pooled(u: Tensor, { unit, pool, segmentLength = 0 }: ScopeDescription): Tensor {
    if (unit === 'token') return u;
    const cols = pool === 'concatenate' ? segmentLength * u.perToken : u.perToken;
    const segment = unit === 'segment' ? segmentLength : 0;
    const kind = ['mean', 'first', 'last', 'concatenate'].indexOf(pool);
    return this.cell('pool', [u], { cols, n: [segment, u.perToken, kind] });
  }

  /** Adds nodes that only known answers read: `bits` [tokens, places], `counts` [tokens, 1]. */
  note(name: 'bits' | 'counts', make: () => Tensor): void {
    this.noted[name] = make();
  }

  /** Choices with room in experts of steps before this one, too; undefined: a request is one step. */
  placed(_ids: Tensor, _room: number): Tensor | undefined {
    return undefined;
  }

  /** The row [tokens, width] of each token's id in a table [vocabulary, width]. */
  ofToken(table: HostTensor, type: 'f32' | 'u32' = 'f32', width = table.shape.at(-1) ?? 1): Tensor {
    const { vocab = 0 } = this.request;
    const [rows = 0, cols = 1] = table.shape;
    if (rows < vocab || cols !== width) {
      throw new AtomoeError(
        'bad-file',
        `a table by token ids is of shape [${table.shape.join(', ')}], wanted [${vocab || 'vocabulary'}, ${width}]; write the file again`,
      );
    }
    const ids = this.given('tokenIds', { type: 'f32', perToken: 1 });
    return this.cell('of-token', [ids, this.weight('token table', table.values)], {
      cols,
      n: [cols, 0],
      type,
    });
  }

  activate(x: Tensor, activation: CellActivation, factor = 1): Tensor {
    if (activation === 'none' && factor === 1) return x;
    return this.cell('activate', [x], {
      cols: x.perToken,
      n: [CELL_ACTIVATIONS[activation]],
      f: [factor],
    });
  }

  /** A copy that is valid to the end of the step. */
  kept(x: Tensor): Tensor {
    return this.cell('activate', [x], {
      cols: x.perToken,
      n: [CELL_ACTIVATIONS.none],
      f: [1],
      role: 'output',
    });
  }

  /** act(a) * b */
  multiply(a: Tensor, b: Tensor, activation: CellActivation = 'none'): Tensor {
    return this.cell('multiply', [a, b], { cols: a.perToken, n: [CELL_ACTIVATIONS[activation]] });
  }

  /** a + b */
  add(a: Tensor, b: Tensor): Tensor {
    return this.cell('sum', [a, b], { cols: a.perToken, f: [1, 1] });
  }

  /** The columns of some tensors side by side. */
  concat(tensors: readonly Tensor[]): Tensor {
    return tensors.reduce((left, right) =>
      this.cell('concat', [left, right], { cols: left.perToken + right.perToken, n: [left.perToken] }),
    );
  }

  slice(x: Tensor, first: number, cols: number): Tensor {
    return this.cell('slice', [x], { cols, n: [x.perToken, first] });
  }
}

/** Matrices, and which places they are for. */
export interface PairUse {
  readonly matrix: HostTensor;
  readonly bias?: HostTensor | undefined;
  readonly experts: number;
  readonly places: number;
  readonly xPlaces: number;
  readonly ids?: Tensor | undefined;
}
