/** Builds the graph of a described layer: its router, experts and pattern (`src/models/layer`). */
import { AtomoeError } from '../../errors.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import type { Graph } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { SharedDescription } from '../../models/layer/expert.ts';
import type {
  HooksDescription,
  InnerLayer,
  LayerDescription,
  PatternDescription,
} from '../../models/layer/layer.ts';
import { mostOf, seesOf } from '../../models/layer/check.ts';
import type { RouterDescription } from '../../models/layer/router.ts';
import { addExperts, addNorm, addSingle, type ExpertRoutes } from './experts.ts';
import { addChosenHeads, addHeads, addSparseHeads } from './heads.ts';
import { addKeyRoutes } from './key-routes.ts';
import { LayerNodes, type RequestInput, type RequestSizes } from './nodes.ts';
import { addMergedExperts, addSoftMix } from './mixing.ts';
import { addChoice, routingSite } from './router.ts';
import { refuse } from './routing-site.ts';
import { addPerceptron, addScores, type ScoreSite } from './scores.ts';
import type { LayerTensors } from './tensors.ts';

/** A described layer as a graph. */
export interface DescribedLayer {
  readonly graph: Graph;
  readonly x: Tensor; // f32 [tokens, hiddenSize], input
  readonly inputs: readonly RequestInput[];
  /** `y`, and of each router in order of its run `ids.0`, `weights.0`, `scores.0`; `state`, `bits` and `counts` of the last. */
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/**
 * Builds the graph of a layer for requests of a size.
 *
 * @throws {AtomoeError} bad-file - tensors that do not fit; bad-input - a rule over a batch for several sequences;
 *   unsupported-model - a part without kernels
 */
export function buildDescribed(
  layer: LayerDescription,
  tensors: LayerTensors,
  request: RequestSizes,
): DescribedLayer {
  const builder = new GraphBuilder();
  const x = builder.tensor('x', { type: 'f32', role: 'input', perToken: layer.hiddenSize });
  const build = new LayerBuild(new LayerNodes(builder, request), tensors);
  const y = build.pattern(layer, x, layer.hooks);
  return { graph: builder.buildPart(), x, ...build.result(y) };
}

/** A layer, or one within a pattern. */
type AnyLayer = Pick<InnerLayer, 'experts' | 'most' | 'router' | 'expert' | 'shared' | 'pattern'>;

/** What is carried from one run of a layer to the next. */
interface Carry {
  readonly iteration: number;
  readonly state?: Tensor | undefined;
}

class LayerBuild {
  readonly #nodes: LayerNodes;
  readonly #tensors: LayerTensors;
  readonly #outputs: Record<string, Tensor> = {};
  #routers = 0;

  constructor(nodes: LayerNodes, tensors: LayerTensors) {
    this.#nodes = nodes;
    this.#tensors = tensors;
  }

  result(y: Tensor): Pick<DescribedLayer, 'inputs' | 'outputs'> {
    const outputs = { ...this.#outputs, ...this.#nodes.noted, y: this.#nodes.kept(y) };
    return { inputs: this.#nodes.inputs, outputs };
  }

  /** y [tokens, outs] of a layer by its pattern. */
  pattern(layer: AnyLayer, x: Tensor, hooks?: HooksDescription): Tensor {
    const { pattern } = layer;
    const nodes = this.#nodes;
    switch (pattern.kind) {
      case 'chain':
        return this.#chain(layer, pattern, x, hooks);
      case 'sequence':
        return pattern.steps.reduce((h, { layer: step, norm, residual }) => {
          const y = this.pattern(step, norm ? addNorm(this.#site(), norm, h) : h);
          return residual ? nodes.add(h, y) : y;
        }, x);
      case 'parallel':
        return pattern.layers.map((one) => this.pattern(one, x)).reduce((sum, y) => nodes.add(sum, y));
      case 'blend':
        return this.#blend(pattern, x);
      case 'repeat':
        return this.#repeat(layer, pattern, x, hooks);
      case 'softMix':
        return addSoftMix({ ...this.#site(), experts: layer.experts ?? 1 }, layer.expert, pattern, x);
      default:
        return this.#run(layer, x, { iteration: 0 }, hooks).y;
    }
  }

  #site(iteration = 0) {
    return { nodes: this.#nodes, tensors: this.#tensors, scope: { iteration } };
  }

  #chain(
    layer: AnyLayer,
    { iterations, residual }: Extract<PatternDescription, { kind: 'chain' }>,
    x: Tensor,
    hooks: HooksDescription | undefined,
  ): Tensor {
    let h = x;
    let state: Tensor | undefined;
    for (let iteration = 0; iteration < iterations; iteration += 1) {
      const { y, state: next } = this.#run(layer, h, { iteration, state }, hooks);
      state = next;
      h = residual ? this.#nodes.add(h, y) : y;
    }
    return h;
  }

  #blend({ layers, gate, gateBias }: Extract<PatternDescription, { kind: 'blend' }>, x: Tensor): Tensor {
    const nodes = this.#nodes;
    const bias = gateBias === undefined ? undefined : this.#tensors.get(gateBias);
    const logits = nodes.dense('blend gate', x, this.#tensors.get(gate), bias);
    const shares = nodes.cell('softmax', [logits], { cols: layers.length, n: [layers.length] });
    const zero = nodes.cell('constant', [], { cols: x.perToken, f: [0] });
    return layers.reduce((sum, layer, index) => {
      const y = this.pattern(layer, x);
      return nodes.cell('add-scaled', [sum, y, shares], { cols: y.perToken, n: [index, layers.length] });
    }, zero);
  }

  /** The layer runs 0, 1 or 2 times on each sequence, by a network over means of windows of it. */
  #repeat(
    layer: AnyLayer,
    { decide, norm }: Extract<PatternDescription, { kind: 'repeat' }>,
    x: Tensor,
    hooks: HooksDescription | undefined,
  ): Tensor {
    const nodes = this.#nodes;
    const { layers, windows } = decide;
    let sum: Tensor | undefined;
    for (let index = 0; index < windows; index += 1) {
      const mean = nodes.cell('window-mean', [x], { cols: x.perToken, n: [index, windows] });
      const logits = addPerceptron(this.#site(), layers, mean);
      const zero = sum ?? nodes.cell('constant', [], { cols: logits.perToken, f: [0] });
      sum = nodes.cell('add-window', [zero, logits], { cols: logits.perToken, n: [index, windows] });
    }
    if (!sum) return x;
    const step = (h: Tensor) =>
      nodes.add(h, this.#run(layer, norm ? addNorm(this.#site(), norm, h) : h, { iteration: 0 }, hooks).y);
    const once = step(x);
    const twice = step(once);
    const number = (times: number) => nodes.cell('constant', [], { cols: 1, f: [times] });
    nodes.note('counts', () =>
      nodes.cell('take-run', [number(0), number(1), number(2), sum], {
        ...{ cols: 1, n: [sum.perToken], role: 'output' },
      }),
    );
    return nodes.cell('take-run', [x, once, twice, sum], { cols: x.perToken, n: [sum.perToken] });
  }

  /** One run of a router and its experts. */
  #run(
    layer: AnyLayer,
    x: Tensor,
    carry: Carry,
    hooks?: HooksDescription,
  ): { readonly y: Tensor; readonly state?: Tensor | undefined } {
    const { router, expert, experts = 1, pattern } = layer;
    if (!router) return refuse('pattern', 'a pattern without a router');
    const site = { ...this.#site(carry.iteration), experts };
    const heads = pattern.kind === 'heads' ? addHeads(site, pattern, x) : undefined;
    const scoreSite: ScoreSite = {
      ...{ ...site, x },
      heads:
        heads && pattern.kind === 'heads'
          ? { queries: heads.q, size: pattern.headSize, first: pattern.sharedHeads }
          : undefined,
    };
    const { routes, largest, state } = this.#route(scoreSite, layer, router, carry, hooks);
    const input = router.scope.expertUnit === 'segment' ? this.#nodes.pooled(x, router.scope) : x;
    const own = (routed: Tensor) => {
      if (router.scope.expertUnit !== 'segment') return routed;
      const { segmentLength = 1 } = router.scope;
      return this.#nodes.cell('own-part', [routed], { cols: x.perToken, n: [segmentLength] });
    };
    let y: Tensor | undefined;
    if (heads && pattern.kind === 'heads') y = addChosenHeads(site, pattern, x, heads, routes);
    else if (pattern.kind === 'sparseAttention') y = addSparseHeads(site, pattern, x, routes);
    else if (pattern.kind === 'mergeWeights' && expert) y = addMergedExperts(site, expert, x, routes);
    else if (expert) y = own(addExperts(site, expert, input, routes, router.weigh));
    const sum = layer.shared.reduce(
      (total: Tensor | undefined, shared) => this.#shared(shared, x, total, largest),
      y,
    );
    return { y: sum ?? this.#nodes.cell('constant', [], { cols: x.perToken, f: [0] }), state };
  }

  #shared(
    { expert, gate, weight }: SharedDescription,
    x: Tensor,
    total: Tensor | undefined,
    largest: Tensor | undefined,
  ): Tensor {
    const nodes = this.#nodes;
    let y = nodes.activate(addSingle(this.#site(), expert, x), 'none', weight);
    const { perToken: cols } = y;
    const rows = { cols, n: [0, 1], f: [1] };
    if (gate?.kind === 'sigmoid') {
      const value = nodes.dense('shared gate', x, this.#tensors.get(gate.weight));
      y = nodes.cell('scale-rows', [y, nodes.activate(value, 'sigmoid')], rows);
    } else if (gate && largest) {
      y = nodes.cell('scale-rows', [y, nodes.cell('one-minus', [largest], { cols: 1 })], rows);
    }
    return total ? nodes.add(total, y) : y;
  }

  /** Adds the router and notes its outputs. */
  #route(
    site: ScoreSite,
    layer: AnyLayer,
    router: RouterDescription,
    carry: Carry,
    hooks: HooksDescription | undefined,
  ): {
    readonly routes: ExpertRoutes;
    readonly largest?: Tensor | undefined;
    readonly state?: Tensor | undefined;
  } {
    this.#checkBatch(router);
    const index = this.#routers;
    this.#routers += 1;
    const note = (name: string, tensor: Tensor) => (this.#outputs[`${name}.${index}`] = tensor);
    const most = mostOf({ ...layer, ...(hooks && { hooks }) });
    const before =
      carry.state ??
      (router.state && carry.iteration === 0 && this.#nodes.request.widths.has('previousState')
        ? this.#nodes.given('previousState', { type: 'f32', perToken: router.state.size })
        : undefined);
    const { score } = router;
    if (score.kind === 'productKeys') {
      const routes = addKeyRoutes(site, { router, score, most, hooks, before });
      note('ids', routes.ids);
      note('weights', routes.weights);
      if (routes.state) this.#outputs['state'] = this.#nodes.kept(routes.state);
      return { routes, state: routes.state };
    }
    const { scores, groupScores, state } = addScores(site, router, before);
    const needsLargest = layer.shared.some(({ gate }) => gate?.kind === 'oneMinusLargestAffinity');
    const routing = routingSite(site, { scores, most, groupScores });
    const found = addChoice(site, routing, router, { hooks, largest: needsLargest });
    note('ids', found.ids);
    note('weights', found.weights);
    note('scores', this.#nodes.kept(scores));
    if (state) this.#outputs['state'] = this.#nodes.kept(state); // of the last run
    return { routes: { ...found, places: most }, largest: found.largest, state };
  }

  /** Rules over a batch would give a sequence other routes beside others than alone. */
  #checkBatch(router: RouterDescription): void {
    const { sequences } = this.#nodes.request;
    if (seesOf(router) !== 'batch' || sequences < 2) return;
    const path = router.capacity?.over === 'batch' ? 'router.capacity.over' : 'router.select.over';
    throw new AtomoeError(
      'bad-input',
      `${path} is "batch", which lets sequences change each other's routes, and the request has ${sequences}; ` +
        'send one, or choose "sequence"',
    );
  }
}
