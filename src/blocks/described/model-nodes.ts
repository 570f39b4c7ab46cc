/** Described routers in the graph of a model, whose tokens come step by step. */
import { invariant } from '../../errors.ts';
import type { GraphBuilder } from '../../graph/builder.ts';
import { expertRoomNode, heldRowsNode, promptRowsNode } from '../../graph/ops/kept-routing.ts';
import type { Tensor, TensorShape } from '../../graph/tensor.ts';
import type { ScopeDescription } from '../../models/layer/router.ts';
import type { MoeSite, RoutedLayers, Routes } from '../site.ts';
import { Handed, type RouterPlace } from './handed.ts';
import { LayerNodes } from './nodes.ts';
import type { RequestShape } from './routing-site.ts';
import { StoredWeights } from './stored-weights.ts';

/** What the described routers of a model's layers have in common. */
export class SharedRouting {
  readonly weights = new StoredWeights();
  readonly states = new Handed<Tensor>(); // f32 [tokens, size], by their names
  readonly decisions = new Handed<Routes>(); // that later layers reuse
  deciding: number | undefined; // the first layer with experts whose decision later ones reuse
  readonly #kept = new WeakMap<GraphBuilder, Map<string, Tensor>>();

  /** A tensor of a graph that sessions keep from step to step; a layer and the predictions of it have the same. */
  kept(builder: GraphBuilder, name: string, shape: TensorShape): Tensor {
    const names = this.#kept.get(builder) ?? new Map<string, Tensor>();
    const tensor = names.get(name) ?? builder.tensor(name, { ...shape, role: 'state' });
    this.#kept.set(builder, names.set(name, tensor));
    return tensor;
  }
}

/** What the nodes of a router in a model are made with. */
export interface ModelRouterPlace extends RouterPlace {
  readonly shared: SharedRouting;
  readonly vocab: number;
}

/** Nodes in the graph of a model: tokens in the cache, those of the step behind them, and what a request gives for these. */
export class ModelNodes extends LayerNodes {
  readonly #place: ModelRouterPlace;
  readonly #contextTokens: number;
  readonly #routed: RoutedLayers;

  constructor({ builder, label, purpose, routed }: MoeSite, place: ModelRouterPlace) {
    const request = { tokens: 1, sequences: 0, widths: new Map<string, number>(), vocab: place.vocab };
    super(builder, request, `${label} `, place.shared.weights);
    this.#place = place;
    this.#contextTokens = purpose.contextTokens;
    this.#routed = routed;
  }

  /** A model has no known answers. */
  override note(): void {}

  /** Once for all layers that read it in this shape. */
  override given(name: string, { type, perToken = 0, fixed = 0, values }: RequestShape): Tensor {
    const { builder } = this;
    if (name === 'tokenIds' && type === 'f32') {
      return this.cell('take-ids', [], { cols: 1, n: [1], ids: builder.ids });
    }
    const known = builder.requested.find(
      ({ name: other, tensor, values: own }) =>
        other === name &&
        tensor.type === type &&
        tensor.perToken === perToken &&
        tensor.fixed === fixed &&
        JSON.stringify(own) === JSON.stringify(values),
    );
    if (known) return known.tensor;
    const label = `request ${name} ${builder.requested.length}`;
    const tensor = builder.tensor(label, { type, role: 'input', perToken, fixed });
    builder.requested.push({ name, tensor, values });
    return tensor;
  }

  /** The first layers have fewer before them, and read the first one's; a prediction that comes too early guesses by its stream. */
  override earlier(x: Tensor, layers: number): Tensor {
    return this.#routed.inputs[Math.max(0, this.#place.of - layers)] ?? x;
  }

  /** What the description says: the graph is built before there is a request. */
  override widthOf(name: string, written?: number): number {
    invariant(written, () => `no width of "${name}"`);
    return written;
  }

  /** The first token of its segment or of the sequence, or what the prompt as a whole is pooled to. */
  override pooled(u: Tensor, scope: ScopeDescription): Tensor {
    if (scope.unit === 'token') return u;
    const { perToken: cols } = u;
    if (scope.pool !== 'first') {
      const x = super.pooled(u, scope);
      const kept = this.#kept('prompt', { type: 'f32', fixed: cols, rewind: 'parity' });
      return this.#rows('prompt rows', cols, (label, y) =>
        promptRowsNode(label, { x, kept, y, keeps: this.#keeps }),
      );
    }
    const every = scope.unit === 'segment' ? (scope.segmentLength ?? 1) : this.#contextTokens;
    const runs = Math.ceil(this.#contextTokens / every);
    const kept = this.#kept('rows', { type: 'f32', fixed: runs * cols });
    return this.#rows('held rows', cols, (label, y) =>
      heldRowsNode(label, { x: u, kept, y, every, keeps: this.#keeps }),
    );
  }

  /** The choices u32 [tokens, k] that find room for `room` tokens in their experts, in the order of the sequence. */
  override placed(ids: Tensor, room: number): Tensor {
    const { perToken: k } = ids;
    const chosen = this.#kept('choices', { type: 'u32', fixed: this.#contextTokens * k });
    const label = this.label('expert room');
    const given = this.builder.tensor(label, { type: 'u32', perToken: k });
    this.builder.add(expertRoomNode(label, { ids, chosen, given, room, keeps: this.#keeps }));
    return given;
  }

  /** A prediction reads what its layer keeps, and leaves it. */
  get #keeps(): boolean {
    return this.#place.at === this.#place.of;
  }

  #kept(name: string, shape: TensorShape): Tensor {
    const { shared, of } = this.#place;
    return shared.kept(this.builder, `router ${of} ${name}`, shape);
  }

  #rows(
    name: string,
    cols: number,
    make: (label: string, y: Tensor) => Parameters<GraphBuilder['add']>[0],
  ): Tensor {
    const label = this.label(name);
    const y = this.builder.tensor(label, { type: 'f32', perToken: cols });
    this.builder.add(make(label, y));
    return y;
  }
}
