/** How a plan is reported: what `inspect` and `plan` both say of a model's sizes, and what `plan` says of its slots. */
import type { ModelPlan } from '../engine/api.ts';
import { facts, formatBytes, formatCount, table } from './words.ts';

/** Everything that takes room, or has to be fetched, and what the files or their host lack. */
export function sizeTable({ bytes, contextTokens, streams, notes }: ModelPlan): string {
  const rows: [string, number][] = [
    ['download', bytes.download],
    ['dense part', bytes.dense],
    ['one expert', bytes.oneExpert],
    ['all experts', bytes.allExperts],
    ['experts of one token', bytes.perToken],
    [streams ? 'expert slots' : 'expert slots, all of them', bytes.experts],
    [`KV cache of ${formatCount(contextTokens)} tokens`, bytes.kvCache],
    ['activations', bytes.activations],
    ['staging', bytes.staging],
    ['GPU memory in all', bytes.gpuTotal],
    ['smallest budget', bytes.least],
  ];
  const sizes = table(
    rows.map(([name, size]) => [name, formatBytes(size), `${formatCount(size)} bytes`]),
    ['left', 'right', 'right'],
  );
  return sizes + notes.map(({ message }) => `note: ${message}\n`).join('');
}

/** What a model takes, in bytes, by purpose. */
export interface Budget {
  readonly label: string; // the model
  readonly bytes: number;
  readonly isGiven: boolean;
}

/** What the budget pays for, in words. */
export function planReport(plan: ModelPlan, budget: Budget): string {
  const { family, layers, experts, expertsPerToken, why, refusedKernels } = plan;
  const routed =
    experts === 0 ? 'no experts' : `${formatCount(experts)} experts a layer, ${expertsPerToken} a token`;
  return `${facts([
    ['model', budget.label],
    ['family', `${family}: ${layers} layers, ${routed}`],
    ['budget', `${formatBytes(budget.bytes)}${budget.isGiven ? '' : ' (default)'}`],
    ...(experts === 0 ? [] : slotFacts(plan)),
    ['verdict', why === '' ? 'fits' : `does not fit: ${why}`],
    ...refusedKernels.map(({ kernel, reason }): [string, string] => ['refused', `${kernel}: ${reason}`]),
  ])}\n${sizeTable(plan)}`;
}

function slotFacts({ streams, slotsPerLayer, cacheRatio, bytes }: ModelPlan): [string, string][] {
  const perToken = formatBytes(bytes.perToken);
  return [
    ['slots', `${formatCount(slotsPerLayer)} a layer, ${cacheRatio.toFixed(2)} times what a token needs`],
    [
      'experts',
      streams
        ? `come as they are needed: ${perToken} a token at most`
        : 'all stay in GPU memory: nothing is fetched',
    ],
  ];
}
