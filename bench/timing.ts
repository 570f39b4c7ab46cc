/** Wall-clock timing of GPU work: enough repetitions to be seen, in turns where things are compared. */
import type { Gpu } from '../src/gpu/device.ts';
import { submit, type Command } from '../src/gpu/recorder.ts';
import { measured, median, type Measured } from './stats.ts';

/** Runs something once and resolves when the GPU is done. */
export type Run = () => Promise<void>;

async function timed(run: Run): Promise<number> {
  const startedMs = performance.now();
  await run();
  return performance.now() - startedMs;
}

/** What submitting nothing and hearing of its end takes. */
export async function idleMs(gpu: Gpu): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 7; i += 1) {
    times.push(
      await timed(async () => {
        submit(gpu, []);
        await gpu.idle();
      }),
    );
  }
  return median(times);
}

export interface TimingOptions {
  readonly rounds?: number; // measurements of each candidate
  readonly roundMs?: number; // how long a measurement takes at least
  readonly mostRepeats?: number;
}

/**
 * Milliseconds of one run of each list of commands, from rounds in which all take turns. A list is repeated within one
 * submission until it takes `roundMs`.
 */
export async function timeInTurns(
  gpu: Gpu,
  lists: readonly (readonly Command[])[],
  { rounds = 5, roundMs = 40, mostRepeats = 512 }: TimingOptions = {},
): Promise<Measured[]> {
  const overheadMs = await idleMs(gpu);
  const runOf = (commands: readonly Command[], repeats: number) => async () => {
    submit(gpu, Array.from({ length: repeats }, () => commands).flat());
    await gpu.idle();
  };
  const repeats: number[] = [];
  for (const commands of lists) {
    await timed(runOf(commands, 1)); // the first run may still compile
    let count = 1;
    while (count < mostRepeats && (await timed(runOf(commands, count))) < overheadMs + roundMs) {
      count = Math.min(mostRepeats, 2 * count);
    }
    repeats.push(count);
  }
  const times = lists.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, commands] of lists.entries()) {
      const count = repeats[index] ?? 1;
      const ms = await timed(runOf(commands, count));
      times[index]?.push(Math.max(1e-4, ms - overheadMs) / count);
    }
  }
  return times.map(measured);
}

/** `timeInTurns` of one list. */
export async function timeCommands(
  gpu: Gpu,
  commands: readonly Command[],
  options: TimingOptions = {},
): Promise<Measured> {
  const [result] = await timeInTurns(gpu, [commands], options);
  if (!result) throw new Error('nothing was timed');
  return result;
}
