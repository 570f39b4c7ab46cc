/** "Same words, checked": the logits of the same tokens under different memory budgets and policies, compared bit for bit. */
import type { Engine, ModelPlan, PolicyName } from '../src/engine/api.ts';
import { holdsAll, MemoryBudget } from '../src/element/index.ts';

/** One way to run the tokens. */
interface Setting {
  readonly name: string;
  readonly memoryBudget: number; // bytes
  readonly policy: PolicyName;
}

/** What one run was, and what came of it. */
export interface SelfTestRun extends Setting {
  readonly places: number; // of a layer
  readonly units: number; // of a layer, that want a place
  readonly misses: number | undefined; // units that were fetched because a token needed them
  readonly sha256: string; // of the logits: f32, little-endian
}

/** The whole test, as it is shared. */
export interface SelfTestReport {
  readonly format: 'atomoe-self-test-1';
  readonly atomoe: string; // version
  readonly adapter: string;
  readonly model: string;
  readonly ids: readonly number[];
  readonly vocab: number;
  /** With what the others are compared: all experts in memory; or, where those do not fit, a second budget and policy. */
  readonly against: 'all in memory' | 'another budget';
  readonly runs: readonly SelfTestRun[];
  readonly isSame: boolean;
  readonly difference: Difference | undefined; // the first one
}

/** Where two runs differ. */
export interface Difference {
  readonly run: string;
  readonly position: number;
  readonly id: number;
  readonly got: number;
  readonly wanted: number;
}

export interface SelfTestOptions {
  readonly version: string;
  readonly ids: readonly number[]; // one to the length of the context
  readonly onProgress: (sentence: string) => void;
}

/**
 * Runs the test, and gives the model its memory back, with the policy that is the default.
 *
 * @throws {AtomoeError} whatever a resize or a run throws; not that all experts do not fit
 */
export async function runSelfTest(engine: Engine, options: SelfTestOptions): Promise<SelfTestReport> {
  const { model, adapter } = engine;
  if (!model) throw new Error('no model is loaded');
  const before = model.plan;
  const { ids, version, onProgress } = options;
  const runs: SelfTestRun[] = [];
  let wanted: Float32Array | undefined;
  let difference: Difference | undefined;
  try {
    const all = await resizeToAll(engine, before);
    const settings = settingsOf(before, all);
    for (const setting of settings) {
      onProgress(`${runs.length + 1} of ${settings.length}: ${setting.name}…`);
      const { logits, run } = await runOnce(engine, setting, ids);
      runs.push(run);
      wanted ??= logits;
      difference ??= firstDifference(setting.name, logits, wanted, before.vocab);
    }
    const against = all ? 'all in memory' : 'another budget';
    const about = { atomoe: version, adapter: adapter.name, model: model.label, ids, vocab: before.vocab };
    return { format: 'atomoe-self-test-1', ...about, against, runs, isSame: !difference, difference };
  } finally {
    await engine.resize({ memoryBudget: before.bytes.gpuTotal, streaming: { policy: 'ema' } });
  }
}

/** The budget with a place for every expert, where this device can give it. */
async function resizeToAll(engine: Engine, plan: ModelPlan): Promise<number | undefined> {
  const { mostBytes } = new MemoryBudget({ engine, plan, onChange: () => {} }).state;
  const memoryBudget = Math.ceil(mostBytes);
  const fits = await engine.resize({ memoryBudget }).then(holdsAll, () => false);
  return fits ? memoryBudget : undefined;
}

/** The first setting is what the others are compared with. */
function settingsOf({ bytes }: ModelPlan, all: number | undefined): Setting[] {
  const half = Math.ceil((bytes.least + (all ?? bytes.gpuTotal)) / 2);
  const first: Setting = all
    ? { name: 'all experts in memory', memoryBudget: all, policy: 'ema' }
    : { name: 'as many experts as fit', memoryBudget: bytes.gpuTotal, policy: 'ema' };
  return [
    first,
    { name: 'half of the room', memoryBudget: half, policy: 'lru' },
    { name: 'the least memory', memoryBudget: bytes.least, policy: 'ema' },
  ];
}

async function runOnce(engine: Engine, setting: Setting, ids: readonly number[]) {
  const { memoryBudget, policy } = setting;
  const plan = await engine.resize({ memoryBudget, streaming: { start: 'now', policy } });
  const logits = await engine.logits(ids, 'one-by-one'); // as replies are made: a token waits for its experts
  const { misses } = (await engine.streaming()) ?? {};
  const { slotsPerLayer: places, unitsPerLayer: units } = plan;
  return { logits, run: { ...setting, places, units, misses, sha256: await sha256Of(logits) } };
}

/** The first logit that is not the same, bit for bit. */
export function firstDifference(
  run: string,
  got: Float32Array,
  wanted: Float32Array,
  vocab: number,
): Difference | undefined {
  const [bits, wantedBits] = [bitsOf(got), bitsOf(wanted)];
  const at = bits.findIndex((word, index) => word !== wantedBits[index]);
  if (at === -1 && bits.length === wantedBits.length) return undefined;
  const index = at === -1 ? Math.min(bits.length, wantedBits.length) : at;
  const place = { position: Math.floor(index / vocab), id: index % vocab };
  return { run, ...place, got: got[index] ?? Number.NaN, wanted: wanted[index] ?? Number.NaN };
}

function bitsOf({ buffer, byteOffset, length }: Float32Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length);
}

async function sha256Of(values: Float32Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(values.slice().buffer));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The outcome in a sentence or two. */
export function describeSelfTest({ isSame, runs, ids, vocab, against, difference }: SelfTestReport): string {
  const settings = runs.map(({ name, places, units }) => `${name} (${places} of ${units} places a layer)`);
  const ways = `${settings.slice(0, -1).join(', ')} and ${settings.at(-1) ?? ''}`;
  const note =
    against === 'all in memory'
      ? ''
      : ' Not all experts fit here, so two budgets were compared with a third.';
  if (isSame) {
    const count = (ids.length * vocab).toLocaleString('en');
    return `The same: ${count} logits are equal bit for bit with ${ways}.${note}`;
  }
  const { run, position, id } = difference ?? { run: '', position: 0, id: 0 };
  return `Not the same: with ${run}, the logit of token ${id} at position ${position} differs. Please report this.${note}`;
}
