import { expect, test } from 'vitest';
import { ropeAngles, ropeFrequencies } from './rope-angles.ts';

test('position 1 rotates by theta^(-2i / dim)', () => {
  const table = ropeAngles({ theta: 100, rotaryDim: 4, positions: 3 });
  const want = [1, 0, 1, 0, Math.cos(1), Math.sin(1), Math.cos(0.1), Math.sin(0.1)]; // 100^0, 100^(-1/2)
  expect([...table.slice(0, 8)]).toEqual(want.map(Math.fround));
  expect(table[8]).toBe(Math.fround(Math.cos(2)));
});

test('no rotary dimensions give an empty table', () => {
  expect(ropeAngles({ theta: 10_000, rotaryDim: 0, positions: 5 })).toHaveLength(0);
});

test('linear scaling divides every frequency', () => {
  const plain = ropeFrequencies(10_000, 8);
  const scaled = ropeFrequencies(10_000, 8, { kind: 'linear', factor: 4 });
  expect([...scaled]).toEqual([...plain].map((value) => value / 4));
});

test('llama3 scaling keeps high frequencies, divides low ones and interpolates between', () => {
  const options = { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 8192 };
  const plain = ropeFrequencies(500_000, 128);
  const scaled = ropeFrequencies(500_000, 128, { kind: 'llama3', ...options });
  for (const [pair, frequency] of plain.entries()) {
    const wave = (2 * Math.PI) / frequency;
    const s = (8192 / wave - 1) / 3;
    const want = wave > 8192 ? frequency / 8 : wave < 2048 ? frequency : frequency * ((1 - s) / 8 + s);
    expect(scaled[pair]).toBeCloseTo(want, 12);
  }
  expect(scaled[0]).toBe(1);
});

test('YaRN keeps high frequencies, divides low ones, and scales the amplitude', () => {
  const scaling = {
    kind: 'yarn',
    factor: 32,
    originalPositions: 4096,
    betaFast: 32,
    betaSlow: 1,
    truncate: false,
    amplitude: 1.25,
  } as const;
  const plain = ropeFrequencies(150_000, 64);
  const scaled = ropeFrequencies(150_000, 64, scaling);
  expect(scaled[0]).toBe(plain[0]);
  expect(scaled[31]! / plain[31]!).toBeCloseTo(1 / 32, 12);
  const low = (64 * Math.log(4096 / (2 * Math.PI * 32))) / (2 * Math.log(150_000));
  const high = (64 * Math.log(4096 / (2 * Math.PI))) / (2 * Math.log(150_000));
  const ramp = (10 - low) / (high - low); // pair 10 is between the ends 8.09 and 17.4
  expect(scaled[10]! / plain[10]!).toBeCloseTo(1 - ramp + ramp / 32, 12);
  expect(ropeAngles({ theta: 150_000, rotaryDim: 64, positions: 1, scaling })[0]).toBe(1.25);
});

test('LongRoPE divides by the factors of the length of the context, and has an amplitude for each', () => {
  const beyond = { positions: 4, factors: [2, 8], amplitude: 1.5 };
  const scaling = { kind: 'factors', factors: [1, 2], beyond } as const;
  const row = (positions: number) => ropeAngles({ theta: 100, rotaryDim: 4, positions, scaling }).slice(4, 8);
  const want = (amplitude: number, ...turns: readonly number[]) =>
    Float32Array.from(turns.flatMap((turn) => [amplitude * Math.cos(turn), amplitude * Math.sin(turn)]));
  expect(row(4)).toEqual(want(1, 1, 0.1 / 2));
  expect(row(5)).toEqual(want(1.5, 1 / 2, 0.1 / 8));
});

test('infinite factors: the first pairs turn as if all did, the others do not', () => {
  const plain = ropeFrequencies(10_000, 16);
  const scaled = ropeFrequencies(10_000, 16, {
    kind: 'factors',
    factors: [1, 1, ...Array<number>(6).fill(Infinity)],
  });
  expect([...scaled]).toEqual([...plain.slice(0, 2), 0, 0, 0, 0, 0, 0]);
});
