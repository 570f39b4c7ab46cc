import type { RouteInputTensors } from '../../graph/ops/route.ts';
import { attentionReceivedNode } from '../../graph/ops/sequence-routing.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { EntropyRule, RouteChoice } from '../../kernels/routing/route-rule.ts';
import { refuse, type RequestShape, type RoutingSite } from './routing-site.ts';
import type { ChoiceDescription, CountDescription } from './stages.ts';
import type { Vectors } from './vectors.ts';

/** Inputs of a rule while they are collected. */
export type Inputs = { -readonly [N in keyof RouteInputTensors]: RouteInputTensors[N] };

type TopP = Extract<ChoiceDescription, { kind: 'topP' }>;

/** The choice of a described selection within one token. */
export function choiceOf(
  select: Exclude<ChoiceDescription, { kind: 'expertChoice' }>,
  site: RoutingSite,
  scored: number,
  vectors: Vectors,
  inputs: Inputs,
): RouteChoice {
  switch (select.kind) {
    case 'topK':
      return topK(select.k, site, inputs);
    case 'topP':
      return topP(select, scored);
    case 'topOfEach':
      return { kind: 'topOfEach', groups: select.groups };
    case 'ranks':
      return {
        kind: 'ranks',
        count: select.ranks.length,
        ranks: vectors.numbers(select.ranks, 'select.ranks'),
      };
    case 'ids': {
      const { name, tensor } = select;
      const { ofTokenId = () => refuse('select', 'ids by token') } = site;
      const ids = tensor === undefined ? site.request(name ?? '', idsOf(site)) : ofTokenId(tensor, 'u32');
      inputs.givenIds = ids;
      return { kind: 'given', places: ids.perToken };
    }
    default:
      return { kind: select.kind };
  }
}

/** The shape of given ids. */
export function idsOf({ most, experts }: RoutingSite, mask?: readonly number[]): RequestShape {
  return { type: 'u32', perToken: most, values: { kind: 'ids', experts, mask } };
}

function topK(k: CountDescription, site: RoutingSite, inputs: Inputs): RouteChoice {
  if (typeof k === 'number') return { kind: 'topK', k };
  inputs.importance =
    k.from === 'attentionReceived'
      ? attentionReceived(k.name, site)
      : site.request(k.name, { type: 'f32', perToken: 1, values: { kind: 'shares' } });
  return { kind: 'topK', k: k.most, least: k.least };
}

function attentionReceived(name: string, site: RoutingSite): Tensor {
  const { builder, label, links = () => refuse('select.k', 'attentionReceived without links') } = site;
  const importance = builder.tensor(`${label} importance`, { type: 'f32', perToken: 1 });
  const sequences = site.sequences?.();
  builder.add(attentionReceivedNode(`${label} importance`, { links: links(name), importance, sequences }));
  return importance;
}

function topP({ p, rule, atLeast = 1, atMost, keepAllAbove }: TopP, scored: number): RouteChoice {
  const entropy = keepAllAbove ? { keepAllAbove: entropyRule(keepAllAbove, scored) } : {};
  return { kind: 'topP', p, rule, atLeast, atMost: atMost ?? scored, ...entropy };
}

/** An entropy relative to that of equal affinities is compared with a share of the latter. */
function entropyRule(
  { entropy, index, threshold, relative = false }: NonNullable<TopP['keepAllAbove']>,
  scored: number,
): EntropyRule {
  const isShannon = index === 1;
  const largest =
    isShannon || entropy === 'renyi' ? Math.log(scored) : (1 - scored ** (1 - index)) / (index - 1);
  return {
    entropy: isShannon ? 'shannon' : entropy,
    index,
    threshold: relative ? threshold * largest : threshold,
  };
}
