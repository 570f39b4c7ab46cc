/** Merges experts of a model: its router keeps its outputs, and several of them stand for one expert. */
import { copyTensor, type TensorToWrite } from '../../containers/safetensors-writer.ts';
import { AtomoeError, invariant } from '../../errors.ts';
import { mostSalient, type ExpertUse } from '../../experts/study/saliency.ts';
import type { GateIo } from '../../graph/ops/gate.ts';
import type { ExpertSpec } from '../../models/spec.ts';
import { unpackRecord } from '../../weights/record.ts';
import { denseNames } from '../load/dense-names.ts';
import { originalIds } from '../load/expert-numbers.ts';
import type { Drafted } from '../load/planning.ts';
import { madeRows } from '../load/reshaped-model.ts';
import { bestAssignment } from './assignment.ts';
import type { Calibration, CalibrationOptions } from './calibrate.ts';
import {
  changeable,
  computedTensor,
  floatTypeOf,
  tensorsOfRouter,
  withSection,
  type ReshapedModel,
} from './reshaped.ts';

/** The experts of a layer that become one, and how much each of them counts. */
export interface Groups {
  readonly alias: readonly number[]; // by expert: its group
  readonly leaders: readonly number[]; // by group: the expert with whose neurons those of the others are aligned
  readonly uses: Float64Array; // by expert
}

/**
 * Groups the experts of each layer: the `count` most used lead, and each other joins the one with whose router logits its own agree
 * most (cosine over the tokens of texts), as in MC-SMoE (arXiv:2310.01334), with as many groups in each layer.
 *
 * @throws {AtomoeError} bad-input - not as many groups can be; as `changeable` and `Calibration.expertUse`
 */
export async function groupExperts(
  drafted: Drafted,
  calibration: Calibration,
  count: number,
  { texts, ...options }: { readonly texts: readonly (readonly number[])[] } & CalibrationOptions,
): Promise<Groups[]> {
  const { experts } = changeable(drafted);
  checkGroups(drafted, experts, count);
  const products = drafted.expertLayers.map(() => new Float64Array(experts * experts)); // of logits, summed over tokens
  const use = await calibration.expertUse(texts, {
    ...options,
    observe(graph, get, tokens) {
      for (const { bank, ids } of graph.routes) {
        const gate = graph.nodes.find(({ op, writes }) => op === 'gate' && writes.includes(ids));
        const sums = products[bank];
        if (gate && sums) addProducts(sums, get((gate.io as GateIo).logits), experts, tokens);
      }
    },
  });
  return use.map((sums, bank) => groupLayer(sums, products[bank] ?? new Float64Array(), count));
}

function checkGroups({ checkpoint: { label }, expertLayers }: Drafted, experts: number, count: number): void {
  const least = Math.max(...expertLayers.map(({ most }) => most));
  if (Number.isInteger(count) && count >= least && count < experts) return;
  throw new AtomoeError(
    'bad-input',
    `${label}: ${experts} experts are to be merged into ${count}, and a token uses ${least}; wanted ${least} to ${experts - 1}`,
  );
}

function addProducts(sums: Float64Array, logits: ArrayLike<number>, experts: number, tokens: number): void {
  for (let t = 0; t < tokens; t += 1) {
    for (let a = 0; a < experts; a += 1) {
      for (let b = 0; b < experts; b += 1)
        sums[a * experts + b] =
          (sums[a * experts + b] ?? 0) + (logits[t * experts + a] ?? 0) * (logits[t * experts + b] ?? 0);
    }
  }
}

function groupLayer({ uses }: ExpertUse, products: Float64Array, count: number): Groups {
  const experts = uses.length;
  const at = (a: number, b: number) => products[a * experts + b] ?? 0;
  const leaders = mostSalient(uses, count);
  const cosine = (a: number, b: number) => at(a, b) / Math.sqrt(at(a, a) * at(b, b) || 1);
  const alias = Array.from({ length: experts }, (_, expert) => {
    const own = leaders.indexOf(expert);
    if (own >= 0) return own;
    const scores = leaders.map((leader) => cosine(expert, leader));
    return scores.indexOf(Math.max(...scores));
  });
  return { alias, leaders, uses };
}

/**
 * The model with one expert for each group, W = sum f_i P_i W_i / sum f_i: f_i is how often expert i was used, P_i aligns its neurons with
 * those of the leader.
 *
 * @param groups - by layer with experts
 * @throws {AtomoeError} as `changeable`; unsupported-model - experts without neurons, or that are merged already
 */
export function merged(drafted: Drafted, groups: readonly Groups[]): ReshapedModel {
  const { checkpoint, context, expertLayers } = drafted;
  const { experts, moes } = changeable(drafted);
  const { label, config } = checkpoint;
  for (const { router } of moes) tensorsOfRouter(router, label); // refuses routers of merged experts
  // The parts of an expert are written one after the other: what was made last serves them all.
  let last: { readonly key: string; readonly made: Promise<Matrices> } | undefined;
  const matricesOf = (bank: number, index: number, group: Groups) => {
    const key = `${bank} ${index}`;
    if (last?.key !== key) last = { key, made: mergeGroup(drafted, bank, { ...group, index }) };
    return last.made;
  };
  const made = groups.flatMap((group, bank) => {
    const parts = expertLayers[bank]?.parts ?? {};
    checkKind(moes[bank]?.expert, label);
    return group.leaders.flatMap((_, index) => {
      return Object.entries(parts).map(([name, { rows, shape, exact }]): TensorToWrite => {
        const { tensor } = madeRows(bank, name, shape);
        const dtype = exact ? 'F32' : floatTypeOf(checkpoint, rows.tensor.replaceAll('{expert}', '0'));
        return computedTensor(tensor.replaceAll('{expert}', String(index)), { dtype, shape }, async () => {
          const found = (await matricesOf(bank, index, group))[name];
          invariant(found, () => `no part ${name}`);
          return found;
        });
      });
    });
  });
  const { count, ids } = originalIds(
    checkpoint,
    moes.map(() => experts),
  );
  const section = {
    count,
    ids: groups.map(({ leaders }, bank) => leaders.map((leader) => ids[bank]?.[leader] ?? leader)),
    alias: groups.map(({ alias }) => [...alias]),
  };
  const { quantization_config: _, ...plain } = config;
  const { signal } = context;
  return {
    config: withSection(plain, 'experts', section),
    tensors: [...[...denseNames(drafted)].map((name) => copyTensor(checkpoint, name, { signal })), ...made],
  };
}

function checkKind(expert: ExpertSpec | undefined, label: string): void {
  if (expert?.kind === 'gated' || expert?.kind === 'reluSquared') return;
  throw new AtomoeError(
    'unsupported-model',
    `${label}: its experts are of the kind "${expert?.kind}", whose neurons are not known; wanted gated or reluSquared`,
  );
}

type Matrices = Readonly<Record<string, Float32Array<ArrayBuffer>>>;

/** The matrices of one group's expert. */
async function mergeGroup(
  { experts, expertLayers, context: { signal } }: Drafted,
  bank: number,
  { alias, leaders, uses, index }: Groups & { readonly index: number },
): Promise<Matrices> {
  const width = expertLayers[bank]?.parts['up']?.shape[0];
  invariant(experts && width !== undefined, () => 'a model with experts of MLPs');
  const read = async (expert: number): Promise<Matrices> =>
    unpackRecord(experts.layout(bank), await experts.read(bank, expert, signal));
  const leader = await read(leaders[index] ?? 0);
  const members = [...alias.keys()].filter((expert) => alias[expert] === index);
  const isUnused = members.every((expert) => uses[expert] === 0);
  const share = (expert: number) => (isUnused ? 1 : (uses[expert] ?? 0));
  const total = members.reduce((sum, expert) => sum + share(expert), 0);
  const sums = Object.fromEntries(
    Object.entries(leader).map(([name, { length }]) => [name, new Float64Array(length)]),
  );
  for (const expert of members) {
    const own = expert === leaders[index] ? leader : aligned(await read(expert), leader, width);
    for (const [name, sum] of Object.entries(sums))
      own[name]?.forEach((value, at) => (sum[at] = (sum[at] ?? 0) + share(expert) * value));
  }
  return Object.fromEntries(
    Object.entries(sums).map(([name, sum]) => [name, Float32Array.from(sum, (value) => value / total)]),
  );
}

/** How a matrix has neurons: as rows, or as columns. */
const NEURONS: Readonly<Record<string, 'rows' | 'columns'>> = {
  gate: 'rows',
  up: 'rows',
  down: 'columns',
  gateBias: 'columns',
  upBias: 'columns',
};

/** The matrices with the neurons in the order in which they are most like those of the leader: the sum of products of their weights is largest. */
function aligned(own: Matrices, leader: Matrices, width: number): Matrices {
  const gain = new Float64Array(width * width);
  for (const [name, values] of Object.entries(own)) {
    const other = leader[name] ?? values;
    const length = values.length / width;
    for (let a = 0; a < width && NEURONS[name]; a += 1) {
      for (let b = 0; b < width; b += 1) {
        let sum = 0;
        for (let i = 0; i < length; i += 1) {
          const [at, from] = [
            placeOf(name, a, i, values.length, width),
            placeOf(name, b, i, values.length, width),
          ];
          sum += (other[at] ?? 0) * (values[from] ?? 0);
        }
        gain[a * width + b] = (gain[a * width + b] ?? 0) + sum;
      }
    }
  }
  return reordered(own, bestAssignment(gain, width));
}

/** The matrices with neuron `order[a]` in the place of neuron a. */
function reordered(own: Matrices, order: readonly number[]): Matrices {
  const width = order.length;
  const move = (name: string, values: Float32Array<ArrayBuffer>) => {
    const moved = values.slice();
    const length = NEURONS[name] ? values.length / width : 0;
    for (const [a, from] of order.entries()) {
      for (let i = 0; i < length; i += 1)
        moved[placeOf(name, a, i, values.length, width)] =
          values[placeOf(name, from, i, values.length, width)] ?? NaN;
    }
    return moved;
  };
  return Object.fromEntries(Object.entries(own).map(([name, values]) => [name, move(name, values)]));
}

/** The place of the i-th weight of a neuron in a matrix. */
function placeOf(name: string, neuron: number, i: number, length: number, width: number): number {
  return NEURONS[name] === 'rows' ? neuron * (length / width) + i : i * width + neuron;
}
