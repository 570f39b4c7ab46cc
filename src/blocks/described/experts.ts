/** Builds the nodes of expert kinds (section 8 of the format), from products of pairs and cells. */
import { AtomoeError } from '../../errors.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { ExpertDescription, MemberDescription, NormDescription } from '../../models/layer/expert.ts';
import type { WeighDescription } from '../../models/layer/router.ts';
import type { TensorReference } from '../../models/layer/tensor-reference.ts';
import { checkWays } from './expert-ways.ts';
import { addAttentionExperts } from './heads.ts';
import type { LayerNodes } from './nodes.ts';
import type { HostTensor, LayerTensors, ReferenceScope } from './tensors.ts';

/** Which experts run for which token, with what weights. */
export interface ExpertRoutes {
  readonly ids: Tensor; // u32 [tokens, places]
  readonly weights: Tensor; // f32 [tokens, places]
  readonly places: number;
}

/** Where experts are added. */
export interface ExpertSite {
  readonly nodes: LayerNodes;
  readonly tensors: LayerTensors;
  readonly scope: ReferenceScope;
  readonly experts: number;
}

/** The rows that experts read: one of each token, or one for each place. */
interface Rows {
  readonly x: Tensor;
  readonly xPlaces: number;
}

type AnyExpert = ExpertDescription | MemberDescription;

type Kind<K extends AnyExpert['kind']> = Extract<AnyExpert, { kind: K }>;

/** The weighted sum of the chosen experts' outputs [tokens, outs], with the ways in which weights are applied. */
export function addExperts(
  site: ExpertSite,
  expert: ExpertDescription,
  x: Tensor,
  routes: ExpertRoutes,
  weigh: Pick<WeighDescription, 'apply' | 'combine'>,
): Tensor {
  const { nodes, tensors } = site;
  const { apply, combine } = weigh;
  const { places } = routes;
  const coded =
    typeof apply === 'object'
      ? nodes.cell('toward-code', [x, nodes.weight('codes', tensors.get(apply.codes).values)], {
          ...{ cols: x.perToken, n: [tensors.get(apply.codes).shape[0] ?? 1], f: [apply.rate] },
        })
      : x;
  const isInput = apply === 'input';
  checkWays(expert, isInput);
  const rows = isInput
    ? {
        x: nodes.cell('repeat-rows', [coded, routes.weights], { cols: places * x.perToken, n: [x.perToken] }),
        xPlaces: places,
      }
    : { x: coded, xPlaces: 1 };
  const ones = () => nodes.cell('constant', [], { cols: places, f: [1] });
  const y = addKind(site, expert, rows, isInput ? { ...routes, weights: ones() } : routes);
  if (combine === 'add') return y;
  return nodes.cell('interpolate', [y, routes.weights, x], { cols: y.perToken, n: [places] });
}

/** One expert that always runs: [tokens, outs]. */
export function addSingle(site: Omit<ExpertSite, 'experts'>, expert: MemberDescription, x: Tensor): Tensor {
  const { nodes } = site;
  const routes = {
    ids: nodes.cell('constant', [], { cols: 1, f: [0], type: 'u32' }),
    weights: nodes.cell('constant', [], { cols: 1, f: [1] }),
    places: 1,
  };
  return addKind({ ...site, experts: 1 }, expert, { x, xPlaces: 1 }, routes);
}

function addKind(site: ExpertSite, expert: AnyExpert, given: Rows, routes: ExpertRoutes): Tensor {
  checkWays(expert);
  const rows = expert.before ? { ...given, x: addNorm(site, expert.before, given.x, given.xPlaces) } : given;
  const run = new ExpertRun(site, expert, rows, routes);
  switch (expert.kind) {
    case 'gated':
      return run.gated(expert);
    case 'plain':
      return run.plain(expert);
    case 'neuron':
      return run.neuron(expert);
    case 'linear':
      return run.combine(run.pairs('weight', expert.weight, rows, expert.bias));
    case 'lora':
      return run.lora(expert);
    case 'latent':
      return run.latent(expert);
    case 'film':
      return run.film(expert);
    case 'selfActivated':
      return run.selfActivated(expert);
    case 'compressed':
      return run.compressed(expert);
    case 'attention':
      return addAttentionExperts(site, expert, rows.x, routes);
    case 'each':
      return run.each(expert);
    case 'skip':
      return run.scaled(rows.x, 0);
    case 'identity':
      return run.scaled(rows.x, 1);
    case 'constant':
      return run.combine(run.constant(expert.value));
  }
}

/** A norm of each of the rows of x. */
export function addNorm(
  { nodes, tensors, scope }: Pick<ExpertSite, 'nodes' | 'tensors' | 'scope'>,
  { kind, weight, bias, epsilon }: NormDescription,
  x: Tensor,
  places = 1,
): Tensor {
  const gain = nodes.weight('norm gain', tensors.get(weight, scope).values);
  const shift = bias === undefined ? gain : nodes.weight('norm shift', tensors.get(bias, scope).values);
  return nodes.cell('norm', [x, gain, shift], {
    cols: x.perToken,
    n: [kind === 'layer' ? 1 : 0, bias === undefined ? 0 : 1, x.perToken / places],
    f: [epsilon],
  });
}

/** The experts of one layer for given rows and routes. */
class ExpertRun {
  readonly #site: ExpertSite;
  readonly #expert: AnyExpert;
  readonly #rows: Rows;
  readonly #routes: ExpertRoutes;
  readonly #levels: readonly number[];
  readonly #experts: number; // matrices in a stack: physical experts, times levels
  readonly #ids: Tensor; // of the matrices

  constructor(site: ExpertSite, expert: AnyExpert, rows: Rows, routes: ExpertRoutes) {
    this.#site = site;
    this.#expert = expert;
    this.#rows = rows;
    this.#routes = routes;
    const { nodes, tensors, scope } = site;
    const { alias, bits } = expert;
    this.#levels = bits?.levels ?? [];
    const physical = alias ? Math.max(...alias) + 1 : site.experts;
    this.#experts = physical * Math.max(1, this.#levels.length);
    let { ids } = routes;
    if (bits) {
      const own = tensors.get(bits.weight, scope);
      const flat = {
        shape: [own.values.length / (own.shape.at(-1) ?? 1), own.shape.at(-1) ?? 1],
        values: own.values,
      };
      const logits = nodes.dense('bit router', rows.x, flat);
      const use = { cols: routes.places, n: [site.experts, this.#levels.length], ids, type: 'u32' } as const;
      ids = nodes.cell('leveled-ids', [logits], use);
      nodes.note('bits', () => this.#bitsOf(ids));
    } else if (alias) {
      const table = nodes.weight('alias', Float32Array.from(alias));
      ids = nodes.cell('map-ids', [table], {
        ...{ cols: routes.places, n: [site.experts, physical], ids, type: 'u32' },
      });
    }
    this.#ids = ids;
  }

  /** The bits of each place, 0 where no expert is. */
  #bitsOf(ids: Tensor): Tensor {
    const { nodes } = this.#site;
    const count = this.#experts;
    const bits = Float32Array.from({ length: count }, (_, at) => this.#levels[at % this.#levels.length] ?? 0);
    const use = { cols: this.#routes.places, n: [count, 0], ids, type: 'u32', role: 'output' } as const;
    return nodes.cell('map-ids', [nodes.weight('bits', bits)], use);
  }

  /** Matrices of all experts, and of all levels of each. */
  #stack(reference: TensorReference): HostTensor {
    const { tensors, scope, experts } = this.#site;
    const stored = this.#expert.alias ? this.#experts : experts;
    const get = (level?: number) => tensors.get(reference, { ...scope, experts: stored, level });
    if (this.#levels.length === 0) return this.#expert.alias ? firstOf(get(), stored) : get();
    const levels = this.#levels.map((level) => get(level));
    const [first] = levels;
    const each = (first?.values.length ?? 0) / experts;
    const values = new Float32Array(this.#experts * each);
    for (let e = 0; e < experts; e += 1) {
      for (const [index, { values: own }] of levels.entries()) {
        values.set(own.subarray(e * each, (e + 1) * each), (e * levels.length + index) * each);
      }
    }
    return { shape: [this.#experts, ...(first?.shape.slice(1) ?? [])], values };
  }

  /** [tokens, places, outs] */
  pairs(name: string, matrix: TensorReference, { x, xPlaces }: Rows, bias?: TensorReference): Tensor {
    const { places } = this.#routes;
    return this.#site.nodes.pairs(`expert ${name}`, x, {
      matrix: this.#stack(matrix),
      bias: bias === undefined ? undefined : this.#stack(bias),
      ...{ experts: this.#experts, places, xPlaces, ids: this.#ids },
    });
  }

  /** The weighted sum over places, after the norm of the outputs. */
  combine(outputs: Tensor): Tensor {
    const { nodes } = this.#site;
    const { ids, weights, places } = this.#routes;
    const { after } = this.#expert;
    const own = after ? addNorm(this.#site, after, outputs, places) : outputs;
    return nodes.cell('combine', [own, weights], {
      ...{ cols: outputs.perToken / places, n: [places, this.#site.experts], ids },
    });
  }

  #places(x: Tensor): Rows {
    return { x, xPlaces: this.#routes.places };
  }

  gated(expert: Kind<'gated'>): Tensor {
    const { nodes } = this.#site;
    const gate = this.pairs('gate', expert.gate, this.#rows, expert.gateBias);
    const up = this.pairs('up', expert.up, this.#rows, expert.upBias);
    const h = nodes.multiply(gate, up, expert.activation);
    return this.#scaledDown(this.pairs('down', expert.down, this.#places(h), expert.downBias), expert.scale);
  }

  plain(expert: Kind<'plain'>): Tensor {
    const up = this.pairs('up', expert.up, this.#rows, expert.upBias);
    const h = this.#site.nodes.activate(up, expert.activation);
    return this.#scaledDown(this.pairs('down', expert.down, this.#places(h), expert.downBias), expert.scale);
  }

  /** Combines outputs that each expert multiplies by a number of its own. */
  #scaledDown(outputs: Tensor, scale: TensorReference | undefined): Tensor {
    if (scale === undefined) return this.combine(outputs);
    const { nodes, tensors, scope, experts } = this.#site;
    const { ids, places } = this.#routes;
    const { values } = tensors.get(scale, { ...scope, experts });
    const { alias } = this.#expert;
    const own = alias ? Float32Array.from(alias, (index) => values[index] ?? NaN) : values;
    if (own.length !== experts || own.includes(NaN)) throw unfitScales(values.length, experts);
    const table = nodes.weight('scales', own);
    const factors = nodes.cell('map-ids', [table], { cols: places, n: [experts, 0], ids });
    const scaled = nodes.cell('scale-heads', [outputs, factors], {
      ...{ cols: outputs.perToken, n: [outputs.perToken / places] },
    });
    return this.combine(scaled);
  }

  neuron(expert: Kind<'neuron'>): Tensor {
    const { nodes } = this.#site;
    const { places } = this.#routes;
    const column = (reference: TensorReference, isRow: boolean) => {
      const { shape, values } = this.#stack(reference);
      const size = shape.at(-1) ?? 1;
      return { shape: isRow ? [this.#experts, 1, size] : [this.#experts, size, 1], values };
    };
    const use = { experts: this.#experts, places, ids: this.#ids };
    const { x, xPlaces } = this.#rows;
    const score = nodes.pairs('expert input', x, { ...use, xPlaces, matrix: column(expert.input, true) });
    const h = nodes.activate(score, expert.activation);
    return this.combine(
      nodes.pairs('expert output', h, { ...use, xPlaces: places, matrix: column(expert.output, false) }),
    );
  }

  lora(expert: Kind<'lora'>): Tensor {
    const { nodes, tensors, scope, experts } = this.#site;
    const { places } = this.#routes;
    const low = this.pairs('a', expert.a, this.#rows);
    const scaling =
      typeof expert.scaling === 'number'
        ? undefined
        : tensors.get(expert.scaling, { ...scope, experts }).values;
    const b = this.#stack(expert.b);
    const each = b.values.length / this.#experts;
    const factor = (at: number) =>
      scaling ? (scaling[Math.floor(at / each) % scaling.length] ?? 1) : Number(expert.scaling);
    const matrix = { shape: b.shape, values: b.values.map((value, at) => value * factor(at)) };
    const use = { experts: this.#experts, places, xPlaces: places, ids: this.#ids };
    const routed = this.combine(nodes.pairs('expert b', low, { ...use, matrix }));
    const where =
      expert.onlyWhere === undefined
        ? routed
        : nodes.cell('scale-rows', [routed, nodes.given(expert.onlyWhere, { type: 'f32', perToken: 1 })], {
            ...{ cols: routed.perToken, n: [0, 1], f: [1] },
          });
    if (!expert.base) return where;
    const bias = expert.base.bias === undefined ? undefined : tensors.get(expert.base.bias, scope);
    return nodes.add(nodes.dense('base', this.#rows.x, tensors.get(expert.base.weight, scope), bias), where);
  }

  latent(expert: Kind<'latent'>): Tensor {
    const { nodes, tensors, scope } = this.#site;
    const into = (reference: TensorReference): Rows => ({
      x: nodes.dense('latent', this.#rows.x, tensors.get(reference, scope)),
      xPlaces: 1,
    });
    const gate = this.pairs('gate', expert.gate, into(expert.gateIn));
    const up = this.pairs('up', expert.up, into(expert.upIn));
    const h = nodes.multiply(gate, up, 'silu');
    const sum = this.combine(this.pairs('down', expert.down, this.#places(h)));
    return nodes.dense('latent out', sum, tensors.get(expert.out, scope));
  }

  /** One network, whose hidden values each expert scales and shifts: the weighted sum goes through `down` once. */
  film(expert: Kind<'film'>): Tensor {
    const { nodes, tensors, scope, experts } = this.#site;
    const { ids, weights, places } = this.#routes;
    const get = (reference: TensorReference) => tensors.get(reference, { ...scope, experts });
    const bias = expert.upBias === undefined ? undefined : get(expert.upBias);
    const h = nodes.activate(nodes.dense('film up', this.#rows.x, get(expert.up), bias), expert.activation);
    const tables = [expert.gamma, expert.beta].map((each) => nodes.weight('film', get(each).values));
    const mixed = nodes.cell('film', [h, weights, ...tables], {
      cols: h.perToken,
      n: [places, experts],
      ids,
    });
    const y = nodes.dense('film down', mixed, get(expert.down));
    if (expert.downBias === undefined) return y;
    const shift = nodes.weight('film shift', get(expert.downBias).values);
    const ones = nodes.cell('constant', [], { cols: places, f: [1] });
    const sum = nodes.cell('combine', [ones, weights], { cols: 1, n: [places, experts], ids });
    const zero = nodes.cell('constant', [], { cols: 1, f: [0] });
    const rows = nodes.cell('of-token', [zero, shift], { cols: y.perToken, n: [y.perToken, 0] });
    return nodes.cell('add-scaled', [y, rows, sum], { cols: y.perToken, n: [0, 1] });
  }

  selfActivated(expert: Kind<'selfActivated'>): Tensor {
    const { nodes } = this.#site;
    const low = this.pairs('down', expert.down, this.#rows);
    const up = this.pairs('up', expert.up, this.#places(low));
    const value = this.pairs('value', expert.value, this.#rows);
    const h = nodes.multiply(up, value, expert.activation);
    return this.combine(this.pairs('out', expert.out, this.#places(h)));
  }

  /** The main experts run on an input that the vectors of the others have changed. */
  compressed(expert: Kind<'compressed'>): Tensor {
    const { nodes, tensors, scope, experts } = this.#site;
    const { ids, weights, places } = this.#routes;
    const { main } = expert;
    const theta = nodes.weight('theta', tensors.get(expert.theta, { ...scope, experts }).values);
    const { x } = this.#rows;
    const changed = nodes.cell('compress', [x, weights, theta], {
      ...{ cols: x.perToken, n: [places, main, experts], ids },
    });
    const first = {
      ids: nodes.cell('take-ids', [], { cols: main, n: [places], ids, type: 'u32' }),
      weights: nodes.slice(weights, 0, main),
      places: main,
    };
    return addKind(this.#site, expert.of, { x: changed, xPlaces: 1 }, first);
  }

  /** Experts of different kinds: each runs for all tokens, those that did not choose it with weight 0. */
  each(expert: Kind<'each'>): Tensor {
    const { nodes } = this.#site;
    const { ids, weights, places } = this.#routes;
    const { x } = this.#rows;
    const parts = expert.experts.map((member, index) => {
      const y = addSingle(this.#site, member, x);
      const weight = nodes.cell('weight-of', [weights], { cols: 1, n: [index, places], ids });
      return nodes.cell('scale-rows', [y, weight], { cols: y.perToken, n: [0, 1], f: [1] });
    });
    return parts.reduce((sum, part) => nodes.add(sum, part));
  }

  /** x times a number and the sum of the weights. */
  scaled(x: Tensor, factor: number): Tensor {
    const { nodes, experts } = this.#site;
    const { ids, weights, places } = this.#routes;
    const ones = nodes.cell('constant', [], { cols: places, f: [factor] });
    const sum = nodes.cell('combine', [ones, weights], { cols: 1, n: [places, experts], ids });
    return nodes.cell('scale-rows', [x, sum], { cols: x.perToken, n: [0, 1], f: [1] });
  }

  /** The same row for all places [tokens, places, outs]. */
  constant(value: TensorReference): Tensor {
    const { nodes, tensors, scope } = this.#site;
    const { values } = tensors.get(value, scope);
    const zero = nodes.cell('constant', [], { cols: 1, f: [0] });
    const rows = Array.from({ length: this.#routes.places }, () =>
      nodes.cell('of-token', [zero, nodes.weight('constant', values)], {
        cols: values.length,
        n: [values.length, 0],
      }),
    );
    return nodes.concat(rows);
  }
}

/** The first matrices of a stack: an alias may leave the others unused. */
function firstOf({ shape, values }: HostTensor, count: number): HostTensor {
  const [all = 0, ...rest] = shape;
  if (all <= count) return { shape, values };
  return { shape: [count, ...rest], values: values.slice(0, (values.length / all) * count) };
}

function unfitScales(found: number, wanted: number): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `the scales of experts are ${found} numbers, wanted one for each of ${wanted}; write the file again`,
  );
}
