/** Runs the cases that the watchdog (../fuzz.mjs) asks for, and says before each which it is. */
import process from 'node:process';
import { caseOf, judge, type Verdict } from './cases.ts';
import { packedModel, splitModel, wholeModel } from './model.ts';
import { Chooser } from './random.ts';

/** From the watchdog: run the cases `from`, `from + 1`, ... up to `to`. */
export interface Order {
  readonly seed: number;
  readonly from: number;
  readonly to: number;
}

/** To the watchdog. */
export type Report =
  | { readonly kind: 'begin'; readonly index: number; readonly what: string }
  | {
      readonly kind: 'end';
      readonly index: number;
      readonly what: string;
      readonly verdict: Verdict;
      readonly why: string;
      readonly cpuMs: number;
      readonly grownBytes: number;
    }
  | { readonly kind: 'done' };

const tell = (report: Report) => void process.send?.(report);

process.on('message', ({ seed, from, to }: Order) => void run(seed, from, to));

async function run(seed: number, from: number, to: number): Promise<void> {
  const whole = await wholeModel();
  const base = { whole, split: await splitModel(), packed: await packedModel(whole) };
  // The first use compiles and fills caches: it is not a case's.
  await judge(caseOf(base, new Chooser(0)));
  for (let index = from; index < to; index += 1) {
    // Distinct streams for neighbouring numbers.
    const input = caseOf(base, new Chooser(Math.imul(seed * 1_000_003 + index, 0x9e3779b1)));
    tell({ kind: 'begin', index, what: input.what });
    const beforeCpu = process.cpuUsage();
    const beforeBytes = process.memoryUsage.rss();
    const { verdict, why } = await judge(input);
    const { user, system } = process.cpuUsage(beforeCpu);
    const grownBytes = process.resourceUsage().maxRSS * 1024 - beforeBytes;
    tell({ kind: 'end', index, what: input.what, verdict, why, cpuMs: (user + system) / 1000, grownBytes });
  }
  tell({ kind: 'done' });
}
