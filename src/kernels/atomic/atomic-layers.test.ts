/** The references against known results: whole layers, computed by hand or read from files. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { activate } from '../core/activation.reference.ts';
import { atomicExpertsReference } from './atomic-experts.reference.ts';
import { productKeysReference } from '../routing/product-keys.reference.ts';
import { productRouteReference, type ProductRoute } from '../routing/product-route.reference.ts';
import { expectClose } from '../testing.ts';

/** x [rows, cols] times w [outs, cols] transposed. */
function linear(x: Float32Array, w: Float32Array, cols: number): Float32Array {
  const rows = x.length / cols;
  const outs = w.length / cols;
  const y = new Float32Array(rows * outs);
  for (let r = 0; r < rows; r += 1) {
    for (let o = 0; o < outs; o += 1) {
      let sum = 0;
      for (let c = 0; c < cols; c += 1) sum += x[r * cols + c]! * w[o * cols + c]!;
      y[r * outs + o] = sum;
    }
  }
  return y;
}

function joined(...parts: Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

interface OmniLayer {
  readonly x: Float32Array;
  readonly hidden: number;
  readonly n: number;
  readonly topK: number;
  readonly gates: readonly [rows: Float32Array, cols: Float32Array]; // [n, hidden]
  readonly mean: Float32Array; // [2, n]
  readonly variance: Float32Array;
  readonly input: Float32Array; // [n * n, hidden]
  readonly output: Float32Array;
  readonly shared: readonly [gate: Float32Array, up: Float32Array, down: Float32Array];
}

function routeOmni(layer: OmniLayer, weigh: 'exp' | 'softmax', bruteForce: boolean): ProductRoute {
  const { x, hidden, n, topK, gates, mean, variance } = layer;
  const logits = linear(x, joined(...gates), hidden); // a token's row half, then its column half
  return productRouteReference(logits, {
    tokens: x.length / hidden,
    heads: 1,
    n,
    topK,
    logSoftmax: 1,
    weigh,
    norm: { mean, variance, eps: 1e-5 },
    bruteForce,
  });
}

function omniOutput(layer: OmniLayer, { ids, weights }: ProductRoute, pageExperts: number) {
  const { x, hidden, n, topK, input, output, shared } = layer;
  const [gate, up, down] = shared;
  const size = pageExperts * hidden;
  const routed = atomicExpertsReference(x, ids, weights, {
    tokens: x.length / hidden,
    hidden,
    topK,
    act: 0,
    pageExperts,
    page: (page) => ({
      in: input.subarray(page * size, page * size + size),
      out: output.subarray(page * size, page * size + size),
    }),
  });
  expect((n * n) % pageExperts).toBe(0);
  const gated = linear(x, gate, hidden);
  const ups = linear(x, up, hidden);
  for (let i = 0; i < gated.length; i += 1) gated[i] = activate(0, gated[i]!) * ups[i]!;
  const shares = linear(gated, down, gate.length / hidden);
  return { routed, y: routed.map((value, at) => value + shares[at]!) };
}

/** Weights by a formula that other implementations can reproduce: f(a, b, s) = ((7 a + 3 b + s) mod 11 - 5) / 10. */
function goldenLayer(): OmniLayer {
  const matrix = (rows: number, cols: number, s: number) =>
    Float32Array.from({ length: rows * cols }, (_, at) => {
      return (((7 * Math.floor(at / cols) + 3 * (at % cols) + s) % 11) - 5) / 10;
    });
  return {
    x: matrix(3, 4, 1),
    hidden: 4,
    n: 3,
    topK: 3,
    gates: [matrix(3, 4, 2), matrix(3, 4, 4)],
    mean: new Float32Array([0.05, -0.05, 0, 0, 0.02, -0.02]),
    variance: new Float32Array([0.09, 0.04, 0.16, 0.04, 0.09, 0.04]),
    input: matrix(9, 4, 5),
    output: matrix(9, 4, 8),
    shared: [matrix(2, 4, 6), matrix(2, 4, 9), matrix(4, 2, 3)],
  };
}

test.each([false, true])('the golden vector of an OmniMoE layer; brute force: %s', (bruteForce) => {
  const layer = goldenLayer();
  const joint = routeOmni(layer, 'exp', bruteForce);
  expect([...joint.ids]).toEqual([4, 1, 7, 4, 5, 3, 0, 6, 3]);
  const scores = [
    -1.0519501932, -1.501921724, -1.6769259764, -0.8468768342, -1.230150689, -1.9800569565, -0.5661666421,
    -1.8244379722, -2.399335649,
  ];
  expectClose(joint.scores, scores);
  const weights = [
    0.3492559679, 0.2227017773, 0.1869477755, 0.4287519063, 0.2922485357, 0.1380613736, 0.5676974605,
    0.1613082784, 0.0907782419,
  ];
  expectClose(joint.weights, weights);
  const y = [
    -0.0243944936, 0.0214568534, 0.071716727, -0.0564315671, -0.0066897842, -0.0135595098, 0.0029652671,
    0.0023352092, -0.0073896829, 0.0544402889, -0.022005019, -0.0101487777,
  ];
  expectClose(omniOutput(layer, joint, 3).y, y, { absolute: 1e-7 });

  const renormalised = routeOmni(layer, 'softmax', bruteForce);
  const shares = [
    0.4602100767, 0.2934512548, 0.2463386685, 0.4990931951, 0.3401950016, 0.1607118034, 0.6924964061,
    0.1967692492, 0.1107343447,
  ];
  expectClose(renormalised.weights, shares);
  const routed = [
    -0.032176874, 0.0288666448, 0.0899101637, -0.0728725533, -0.0125022044, -0.0036300507, 0.0025078666,
    -0.0032535675, -0.0033043332, 0.0506112676, -0.0159975998, -0.0083816398,
  ];
  expectClose(omniOutput(layer, renormalised, 1).routed, routed, { absolute: 1e-7 });
});

type Layer = Readonly<Record<string, Float32Array>>;

/** The tensors of a small safetensors file, integers as numbers. */
function readLayer(name: string): Layer {
  const bytes = readFileSync(new URL(`../../../fixtures/layers/${name}.safetensors`, import.meta.url));
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header: unknown = JSON.parse(bytes.toString('utf8', 8, start));
  const tensors: Record<string, Float32Array> = {};
  for (const [key, entry] of Object.entries(
    header as Record<string, { dtype: string; data_offsets: number[] }>,
  )) {
    if (key === '__metadata__') continue;
    const [begin = 0, end = 0] = entry.data_offsets;
    const values = Uint8Array.from(bytes.subarray(start + begin, start + end)).buffer;
    tensors[key] =
      entry.dtype === 'I32' ? Float32Array.from(new Int32Array(values)) : new Float32Array(values);
  }
  return tensors;
}

function get(layer: Layer, name: string): Float32Array {
  const tensor = layer[name];
  if (!tensor) throw new Error(`no tensor ${name}`);
  return tensor;
}

/** Compares ids except where adjacent scores differ by less than 1e-4. */
function expectIds(got: Uint32Array, want: Float32Array, scores: Float32Array): void {
  let compared = 0;
  for (let at = 0; at < want.length; at += 1) {
    const isClear = [at - 1, at + 1].every((other) => !(Math.abs(scores[other]! - scores[at]!) <= 1e-4));
    if (!isClear) continue;
    compared += 1;
    expect(got[at]).toBe(want[at]);
  }
  expect(compared).toBeGreaterThan(want.length / 2);
}

test('fixtures/layers/omnimoe', () => {
  const file = readLayer('omnimoe');
  const half = (name: string) =>
    joined(get(file, `router_norm_x.${name}`), get(file, `router_norm_y.${name}`));
  const layer: OmniLayer = {
    x: get(file, 'x'),
    hidden: 48,
    n: 20,
    topK: 24,
    gates: [get(file, 'router_gate_x.weight'), get(file, 'router_gate_y.weight')],
    mean: half('running_mean'),
    variance: half('running_var'),
    input: get(file, 'up_embed.weight'),
    output: get(file, 'down_embed.weight'),
    shared: [get(file, 'gate_proj.weight'), get(file, 'up_proj.weight'), get(file, 'down_proj.weight')],
  };
  const joint = routeOmni(layer, 'exp', false);
  expectIds(joint.ids, get(file, 'expected.ids'), get(file, 'expected.log_scores'));
  expectClose(joint.scores, get(file, 'expected.log_scores'));
  expectClose(joint.weights, get(file, 'expected.weights'));
  expectClose(omniOutput(layer, joint, 20).y, get(file, 'expected.y'), { absolute: 1e-5 });
  const renormalised = routeOmni(layer, 'softmax', false);
  expectClose(omniOutput(layer, renormalised, 40).y, get(file, 'expected.y_renormalised'), {
    absolute: 1e-5,
  });
});

test('fixtures/layers/peer', () => {
  const file = readLayer('peer');
  const x = get(file, 'x');
  const shape = { tokens: 19, heads: 4, n: 16, topK: 8 };
  const query = linear(x, get(file, 'query.weight'), 32);
  const norm = {
    mean: get(file, 'query_norm.running_mean'),
    variance: get(file, 'query_norm.running_var'),
    eps: 1e-5,
  };
  const logits = productKeysReference(query, get(file, 'keys_x'), get(file, 'keys_y'), {
    rows: 19 * 4,
    heads: 4,
    key: 12,
    n: 16,
    norm,
  });
  const route = productRouteReference(logits, { ...shape, logSoftmax: 0, weigh: 'softmax' });
  expectIds(route.ids, get(file, 'expected.ids'), get(file, 'expected.scores'));
  expectClose(route.scores, get(file, 'expected.scores'), { absolute: 1e-5 });
  expectClose(route.weights, get(file, 'expected.weights'));
  const tables = { in: get(file, 'down_embed.weight'), out: get(file, 'up_embed.weight') };
  const y = atomicExpertsReference(x, route.ids, route.weights, {
    tokens: 19,
    hidden: 32,
    topK: 32, // four heads of eight
    act: 2,
    pageExperts: 256,
    page: () => tables,
  });
  expectClose(y, get(file, 'expected.y'), { absolute: 1e-5 });
});
