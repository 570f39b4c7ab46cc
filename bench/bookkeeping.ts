/**
 * What the CPU does for one layer of one token: looks up who is there, makes room, notes what is where. Everything of
 * it runs as in the engine, but the GPU is a stand-in that counts what it is given, and every record is in memory.
 */
import process from 'node:process';
import { ema, type MakePolicy } from '../src/experts/policy.ts';
import { evenRecords } from '../src/experts/pools.ts';
import { loadFormats } from '../src/weights/formats/index.ts';
import { recordLayout } from '../src/weights/record.ts';
import { ExpertStore } from '../src/experts/store.ts';
import { ExpertStreamer } from '../src/experts/streamer.ts';
import { RecordTiers } from '../src/experts/tiers.ts';
import type { Buffer } from '../src/gpu/buffer.ts';
import type { Gpu } from '../src/gpu/device.ts';

/** The sizes of Qwen3-30B-A3B, at twice what a token needs. */
export const SHAPE = { layers: 48, units: 128, topK: 8, places: 16, reserved: 16 } as const;

export const LAYERS_TIMED = 1000;

export interface Told {
  writes: number; // of any buffer
}

/** A GPU that counts and does nothing. */
function standIn(told: Told): Gpu {
  const gpu: Pick<Gpu, 'write' | 'createBuffer' | 'allocating'> & { limits: Partial<Gpu['limits']> } = {
    limits: { maxBindingBytes: 2 ** 30, maxBufferSizeBytes: 2 ** 30 },
    allocating: async (_what, make) => make(),
    createBuffer: ({ sizeBytes }) => ({ sizeBytes, dispose: () => {} }) as unknown as Buffer,
    write: () => void (told.writes += 1),
  };
  return gpu as unknown as Gpu;
}

/** A streamer whose every record is in memory, after a while of use. */
export async function openStreamer(told: Told, policy: MakePolicy = ema()): Promise<ExpertStreamer> {
  const { layers, units, topK, places, reserved } = SHAPE;
  await loadFormats(['q8_0']);
  const layout = recordLayout('q8_0', { gate: [8, 32], up: [8, 32], down: [8, 32] });
  const shape = evenRecords(layers, units, layout);
  const store = await ExpertStore.open(standIn(told), shape, { slots: { places, reserved } });
  const tiers = new RecordTiers({
    units,
    recordBytes: layout.sizeBytes,
    hostBytes: layers * units * layout.sizeBytes,
    read: async () => new Uint8Array(layout.sizeBytes),
  });
  for (let layer = 0; layer < layers; layer += 1)
    for (let unit = 0; unit < units; unit += 1) await tiers.read(layer, unit);
  const copy = () => {};
  return new ExpertStreamer({ store, scratch: undefined, tiers, topK, policy, copy });
}

/** The experts of a token in a layer: the same always, or in turns so that none is found. */
export function units(kind: Kind, round: number, out: Uint32Array): number {
  const { units: all, topK } = SHAPE;
  const first = kind === 'resident' ? 0 : (round * topK) % all;
  for (let rank = 0; rank < topK; rank += 1) out[rank] = first + rank;
  return topK;
}

/** All of a token's experts are there, none is; or none is, but guesses brought them. */
export type Kind = 'resident' | 'missing' | 'guessed';

/** One layer as a step goes through it: was all there, what to load, what the next layer will want. */
export function oneLayer(streamer: ExpertStreamer, kind: Kind, index: number, chosen: Uint32Array): void {
  const layer = index % SHAPE.layers;
  const count = units(kind, Math.floor(index / SHAPE.layers), chosen);
  if (kind === 'guessed') streamer.predict(layer, chosen, count);
  streamer.wasReady(layer, chosen, count, streamer.serial);
  void streamer.demand(layer, chosen, count);
}

export interface Bookkeeping {
  readonly resident: number; // microseconds of one layer, mean
  readonly missing: number;
  readonly guessed: number;
}

/**
 * Means over `LAYERS_TIMED` layers, of the middle one of several rounds. The processor's time of this process counts, not
 * the clock's: other processes take turns with it.
 */
export async function measureBookkeeping(rounds = 9): Promise<Bookkeeping> {
  const chosen = new Uint32Array(SHAPE.topK);
  const timed = async (kind: Kind): Promise<number> => {
    const streamer = await openStreamer({ writes: 0 });
    const means: number[] = [];
    let index = 0;
    for (let round = -2; round < rounds; round += 1) {
      const started = process.cpuUsage();
      for (let done = 0; done < LAYERS_TIMED; done += 1) oneLayer(streamer, kind, index++, chosen);
      const { user, system } = process.cpuUsage(started);
      if (round >= 0) means.push((user + system) / LAYERS_TIMED);
    }
    return means.sort((a, b) => a - b)[rounds >> 1] ?? NaN;
  };
  return {
    resident: await timed('resident'),
    missing: await timed('missing'),
    guessed: await timed('guessed'),
  };
}
