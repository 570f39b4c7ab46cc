/** How a plan is reported: what `inspect` and `plan` both say of a model's sizes, and what `plan` says of its slots. */
import type { ModelPlan } from '../engine/api.ts';
import { memoryNeeds, type HubChoice } from '../engine/hub.ts';
import { printable } from '../errors.ts';
import type { HubListing } from './model.ts';
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
  const { family, layers, experts, expertsPerToken, why, refusedKernels, license } = plan;
  const routed =
    experts === 0 ? 'no experts' : `${formatCount(experts)} experts a layer, ${expertsPerToken} a token`;
  return `${facts([
    ['model', budget.label],
    ['family', `${family}: ${layers} layers, ${routed}`],
    ...(license === undefined ? [] : [['licence', license] as const]),
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

/** What the hub has of a model, and what each file takes: figures of files other than the planned one follow from its plan. */
export function listingWithNeeds({ choices, ...listing }: HubListing, plan: ModelPlan, label: string) {
  const needsOf = (choice: HubChoice) => memoryNeeds(plan, choice.source === label ? undefined : choice);
  return {
    ...listing,
    choices: choices.map((choice) => ({ ...choice, memory: needsOf(choice) })),
  };
}

/** The same in words; `label` is the address of what was planned. */
export function listingReport(
  { repo, license, choices }: ReturnType<typeof listingWithNeeds>,
  label: string,
): string {
  const rows = choices.map(({ source, name, sizeBytes, memory }) => {
    const sizes = [sizeBytes, memory.whole, memory.streamed].map(formatBytes);
    return [source === label ? '*' : '', name, ...sizes];
  });
  const head = ['', 'file', 'download', 'memory, all experts', 'memory, streamed'];
  const files = table([head, ...rows], ['left', 'left', 'right', 'right', 'right']);
  return (
    `\n${printable(repo)}; licence: ${printable(license ?? 'not stated')}\n${files}` +
    '* planned above; the memory of the others is an estimate\n'
  );
}
